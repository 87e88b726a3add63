SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#viewer",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  defaultModelExpandDepth: 3,
  displayRequestDuration: true,
  persistAuthorization: false,
  validatorUrl: null,
  // The last server of the document is the API that serves this page. The others are for generators of clients.
  plugins: [
    () => ({
      statePlugins: {
        spec: {
          wrapActions: {
            updateJsonSpec: (update) => (document) => update({ ...document, servers: document.servers?.slice(-1) }),
          },
        },
      },
    }),
  ],
});
