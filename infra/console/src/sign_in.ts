// Sign-in by authorization code with PKCE (RFC 6749, RFC 7636). The tokens stay in this module's memory.
//
// sessionStorage holds only what a return from the issuer needs: verifier, state and the place to return to. The entry
// is removed when the return is read. A session that ends while the page is open is renewed in a window of its own. That
// window gets the answer of the issuer, and passes it to this page over a BroadcastChannel. The verifier never leaves
// this page, so nobody else can use the answer.
import * as oauth from "oauth4webapi";

export interface Config {
  issuer: string;
  authorization_endpoint: string;
  token_endpoint: string;
  end_session_endpoint: string;
  client_id: string;
  scope: string;
  /** The names of the claims that say tenant and application, and those that may contain the scopes. */
  claims: { tenant: string; app: string; scopes: string[] };
}

export interface Person {
  name: string;
  tenant: string;
  app: string;
  /** The subject, by which the service names the person in the trail. */
  subject: string;
  /** Whether the token permits changes. */
  writes: boolean;
}

/** Somebody must sign in again before this request can be sent. */
export class SessionEnded extends Error {}

/** The sign-in failed. The message says why. */
export class SignInFailed extends Error {}

const ENTRY = "incidents.sign-in";
const CHANNEL = "incidents.sign-in";
const RENEWAL = "renew.";
const SECONDS_BEFORE_EXPIRY = 30;

export const address = (): string => location.origin + location.pathname;

const NOBODY: Person = { name: "", tenant: "", app: "", subject: "", writes: false };

const isLoopback = (url: string): boolean => {
  const { protocol, hostname } = new URL(url);
  return protocol === "http:" && (hostname === "127.0.0.1" || hostname === "localhost" || hostname === "[::1]");
};

export class Session {
  #access = "";
  #refresh = "";
  #expires = 0;
  #renewing: Promise<void> | null = null;
  #listeners = new Set<() => void>();
  person: Person = NOBODY;
  state: "signed out" | "signed in" | "ended" = "signed out";
  /** The issuer's or the library's words when the last sign-in failed. */
  failure = "";

  constructor(readonly config: Config) {}

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #become(state: Session["state"], failure = ""): void {
    this.state = state;
    this.failure = failure;
    for (const listener of this.#listeners) listener();
  }

  get #server(): oauth.AuthorizationServer {
    const { issuer, authorization_endpoint, token_endpoint } = this.config;
    return { issuer, authorization_endpoint, token_endpoint };
  }

  /** Without TLS, only an issuer on this machine may be used. */
  get #options(): oauth.TokenEndpointRequestOptions {
    return { [oauth.allowInsecureRequests]: isLoopback(this.config.token_endpoint) };
  }

  async #request(state: string, verifier: string): Promise<string> {
    const url = new URL(this.config.authorization_endpoint);
    if (url.protocol !== "https:" && !isLoopback(url.href))
      throw new SignInFailed("The issuer's address does not begin with https.");
    for (const [name, value] of Object.entries({
      response_type: "code",
      client_id: this.config.client_id,
      redirect_uri: address(),
      scope: this.config.scope,
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    })) url.searchParams.set(name, value);
    return url.href;
  }

  /** Whether the issuer is on this machine, as that of a developer's local stack. */
  get isLocal(): boolean {
    return isLoopback(this.config.authorization_endpoint);
  }

  /** Return the place of a sign-in that got no answer. Somebody who then opens the console otherwise still gets there. */
  placeOfUnfinished(): string {
    return (JSON.parse(sessionStorage.getItem(ENTRY) ?? "{}") as Record<string, string>)["place"] ?? "";
  }

  /** Leave the page for the issuer's sign-in. The issuer returns to the same place. */
  async leave(): Promise<void> {
    const [state, verifier] = [oauth.generateRandomState(), oauth.generateRandomCodeVerifier()];
    try {
      const target = await this.#request(state, verifier);
      sessionStorage.setItem(ENTRY, JSON.stringify({ state, verifier, place: location.hash }));
      location.assign(target);
    } catch (error) {
      this.#become("signed out", reason(error));
    }
  }

  /** Read the issuer's answer in the address, if there is one. Return whether there was one. */
  async arrive(): Promise<boolean> {
    const answer = new URLSearchParams(location.search);
    if (!answer.has("state") || !(answer.has("code") || answer.has("error"))) return false;
    const entry = JSON.parse(sessionStorage.getItem(ENTRY) ?? "{}") as Record<string, string>;
    sessionStorage.removeItem(ENTRY);
    history.replaceState(null, "", location.pathname + (entry["place"] ?? ""));
    try {
      if (answer.get("state") !== entry["state"]) throw new SignInFailed("This answer belongs to another sign-in.");
      await this.#exchange(answer, entry["state"] ?? "", entry["verifier"] ?? "");
    } catch (error) {
      this.#become("signed out", reason(error));
    }
    return true;
  }

  async #exchange(answer: URLSearchParams, state: string, verifier: string): Promise<void> {
    const [began, client] = [this.state, { client_id: this.config.client_id }];
    const checked = oauth.validateAuthResponse(this.#server, client, answer, state);
    const response = await oauth.authorizationCodeGrantRequest(
      this.#server, client, oauth.None(), checked, address(), verifier, this.#options);
    const tokens = await oauth.processAuthorizationCodeResponse(this.#server, client, response);
    if (this.state !== began) return; // the person signed out meanwhile
    const [before, now] = [this.person, personOf(tokens.access_token, this.config)];
    // What the page shows, and what somebody typed into it, belongs to one person of one tenant.
    if (this.state === "ended" && (["subject", "tenant", "app"] as const).some((name) => before[name] !== now[name]))
      throw new SignInFailed(`This page belongs to ${before.name} of ${before.tenant}. Sign in as this person, or load the page again.`);
    this.#take(tokens);
    this.#become("signed in");
  }

  #take(tokens: oauth.TokenEndpointResponse): void {
    this.#access = tokens.access_token;
    this.#refresh = tokens.refresh_token ?? this.#refresh;
    this.#expires = Date.now() + ((tokens.expires_in ?? 300) - SECONDS_BEFORE_EXPIRY) * 1000;
    this.person = personOf(this.#access, this.config);
  }

  /** Return an access token that is valid now. Raises SessionEnded. */
  async token(): Promise<string> {
    if (this.state !== "signed in") throw new SessionEnded();
    if (Date.now() >= this.#expires) await this.renew();
    return this.#access;
  }

  /** Get new tokens without the person. Concurrent callers share one request. Raises SessionEnded. */
  async renew(): Promise<void> {
    this.#renewing ??= this.#refreshed().finally(() => (this.#renewing = null));
    await this.#renewing;
  }

  async #refreshed(): Promise<void> {
    const client = { client_id: this.config.client_id };
    if (this.#refresh) {
      try {
        const response = await oauth.refreshTokenGrantRequest(
          this.#server, client, oauth.None(), this.#refresh, this.#options);
        this.#take(await oauth.processRefreshTokenResponse(this.#server, client, response));
        return;
      } catch (error) {
        // Without an answer of the issuer, the refresh token may still be good, so it is kept for the next try.
        if (!(error instanceof oauth.ResponseBodyError)) throw error;
      }
    }
    this.end();
    throw new SessionEnded();
  }

  /** The service refused the token: forget it, and ask the person to sign in. */
  end(): void {
    this.#access = this.#refresh = "";
    if (this.state === "signed in") this.#become("ended");
  }

  /** Sign in again in a window of its own, while this page stays as it is. */
  async renewInWindow(): Promise<void> {
    // The window is opened at once, because browsers allow it only as the direct answer to a click.
    const opened = window.open("about:blank", "incidents-sign-in", "popup,width=520,height=680");
    const [state, verifier] = [RENEWAL + oauth.generateRandomState(), oauth.generateRandomCodeVerifier()];
    const channel = new BroadcastChannel(CHANNEL);
    channel.onmessage = async ({ data }: MessageEvent<unknown>) => {
      const answer = new URLSearchParams(typeof data === "string" ? data : "");
      if (answer.get("state") !== state) return; // the answer to another page's question
      channel.close();
      if (this.state !== "ended") return; // the person signed out, or in, meanwhile
      try {
        await this.#exchange(answer, state, verifier);
      } catch (error) {
        this.#become("ended", reason(error));
      }
    };
    try {
      const target = await this.#request(state, verifier);
      if (opened) opened.location.replace(target);
      else this.#become("ended", "The browser blocked the window. Allow windows of this page, and try again.");
    } catch (error) {
      this.#become("ended", reason(error));
    }
  }

  /** Forget the tokens, and end the session at the issuer if it has an address for that. */
  signOut(): void {
    this.#access = this.#refresh = "";
    this.#become("signed out");
    if (!this.config.end_session_endpoint) return;
    const url = new URL(this.config.end_session_endpoint);
    url.searchParams.set("client_id", this.config.client_id);
    url.searchParams.set("post_logout_redirect_uri", address()); // OpenID Connect RP-Initiated Logout 1.0
    url.searchParams.set("logout_uri", address()); // Amazon Cognito's own name for it
    location.assign(url.href);
  }
}

/** In the window of a renewal: pass the issuer's answer on, and close. Return whether this is such a window. */
export function passOn(): boolean {
  const answer = new URLSearchParams(location.search);
  if (!answer.get("state")?.startsWith(RENEWAL)) return false;
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage(location.search);
  history.replaceState(null, "", location.pathname);
  setTimeout(() => {
    channel.close();
    window.close();
  }, 50);
  return true;
}

function reason(error: unknown): string {
  if (error instanceof oauth.AuthorizationResponseError || error instanceof oauth.ResponseBodyError)
    return error.error_description ?? error.error;
  return error instanceof Error ? error.message : String(error);
}

/** Return what a token says about its bearer, to show it. The service, not this page, checks tokens. */
function personOf(token: string, config: Config): Person {
  const claim = (claims: Record<string, unknown>, name: string): string => {
    const value = claims[name];
    const one: unknown = Array.isArray(value) ? value[0] : value;
    return typeof one === "string" ? one : "";
  };
  try {
    const part = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(part), (one) => one.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    const names = ["name", "email", "preferred_username", "sub"].map((name) => claim(claims, name));
    const scopes = claims[config.claims.scopes.find((name) => name in claims) ?? ""];
    return {
      name: names.find(Boolean) ?? "",
      tenant: claim(claims, config.claims.tenant),
      app: claim(claims, config.claims.app),
      subject: claim(claims, "sub"),
      writes: (Array.isArray(scopes) ? scopes : String(scopes).split(" ")).includes("incidents:write"),
    };
  } catch {
    return NOBODY; // the token is not a JWT
  }
}
