"""The names that ``regulatory_reports`` may use. `incidents openapi` generates this module from the rules."""

# fmt: off
# ruff: noqa: E501, SIM905
RULES_VERSION = "2026-11"
FACTS = ("member_state", "dora_exempt")
MEMBER_STATES = (
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK"
).split()
_NAMES = {
    "eu-gdpr": ("aware high_risk_assessed", "authority processor_to_controller individuals", "GDPR|GDPR Art. 33", "processor_to_controller individuals"),
    "uk-gdpr": ("aware high_risk_assessed", "authority individuals", "UK GDPR|ICO", "individuals"),
    "uk-pecr": ("aware", "authority", "PECR", ""),
    "eu-telecom-611": ("detected aware", "initial second individuals", "ePrivacy|611/2013", "individuals"),
    "eu-nis2": ("aware determined classified detected request impact_ended handled", "early_warning notification intermediate impact_end final progress final_ongoing recipients", "NIS2|NIS 2", "recipients"),
    "eu-nis2-tsp": ("aware", "early_warning notification final", "NIS2 trust", ""),
    "eu-eidas-19a": ("aware", "authority", "eIDAS|eIDAS 2", ""),
    "eu-dora": ("classified aware", "initial intermediate final clients", "DORA", "clients"),
    "eu-psd2": ("classified back_to_normal", "initial intermediate final", "PSD2", ""),
    "eu-cra-vuln": ("aware remedy_available", "early_warning notification final users", "CRA|CRA vulnerability", "users"),
    "eu-cra-incident": ("aware", "early_warning notification final", "CRA incident", ""),
    "eu-cer": ("aware", "initial detailed", "CER", ""),
    "eu-part-is": ("aware actions_identified", "report follow_up", "Part-IS|EASA", ""),
    "eu-ai-act": ("aware", "report report_widespread report_death", "AI Act", ""),
    "eu-mdr": ("aware", "serious death_or_deterioration public_health_threat", "MDR|MDR Art. 87", ""),
    "uk-nis": ("aware", "notification", "UK NIS|NIS Regulations", ""),
    "uk-telecom": ("aware", "report", "Ofcom|TSA 2021", ""),
    "ch-fadp": ("aware", "authority", "nFADP|FADP", ""),
    "ch-isa": ("detected", "report complete", "ISA|ISG|BACS", ""),
    "ch-finma": ("aware handled", "preliminary report root_cause", "FINMA", ""),
    "us-sec-8k": ("determined info_available", "form_8k amendment", "SEC|8-K|SEC 8-K 1.05", ""),
    "us-sec-reg-sp": ("aware", "individuals provider_to_firm", "Reg S-P", "individuals provider_to_firm"),
    "us-hipaa": ("aware", "individuals hhs_500 media hhs_under_500 ba_to_ce", "HIPAA", "individuals media ba_to_ce"),
    "us-ny-dfs": ("determined payment_made", "notice payment_notice payment_explanation", "NYDFS|23 NYCRR 500", ""),
    "us-ftc-safeguards": ("aware", "ftc", "FTC|GLBA Safeguards", ""),
    "us-ftc-hbnr": ("aware", "individuals ftc_500 ftc_under_500", "HBNR", "individuals"),
    "us-bank-36h": ("determined", "regulator provider_to_bank", "OCC|FDIC|FRB|36h", "provider_to_bank"),
    "us-ncua": ("reasonable_belief", "ncua", "NCUA", ""),
    "us-circia": ("reasonable_belief payment_made", "incident payment", "CIRCIA|CISA", ""),
    "us-tsa-pipeline": ("detected", "cisa", "TSA", ""),
    "us-fcc-cpni": ("determined year_end", "fcc_fbi_usss customers annual_under_500", "FCC|CPNI", "customers"),
    "us-dfars": ("aware", "dibnet", "DFARS|DoD", ""),
    "us-nerc-cip": ("determined", "incident attempt", "NERC|CIP-008", ""),
    "us-ca": ("aware", "individuals ag", "California|CCPA breach", "individuals"),
    "us-tx": ("determined", "individuals ag", "Texas", "individuals"),
    "us-ny-899aa": ("aware", "individuals", "NY SHIELD", ""),
    "us-30d-states": ("determined", "individuals", "Florida|Colorado|Washington|Maine", ""),
    "ca-pipeda": ("determined", "authority", "PIPEDA|OPC", ""),
    "ca-qc-law25": ("aware", "authority", "Law 25|CAI", ""),
    "ca-osfi": ("determined", "report", "OSFI", ""),
    "br-lgpd": ("aware_personal_data", "authority individuals supplement", "LGPD|ANPD", "individuals"),
    "mx-lfpdppp": ("aware", "individuals", "Mexico", "individuals"),
    "cl-21663": ("aware", "early_warning second final", "ANCI|Chile", ""),
    "au-apra-cps234": ("aware", "incident weakness", "APRA|CPS 234", ""),
    "au-apra-cps230": ("aware tolerance_breached", "incident tolerance", "CPS 230", ""),
    "au-ndb": ("suspected reasonable_belief", "assessment statement", "NDB|OAIC", "assessment"),
    "au-soci": ("aware", "critical critical_written other", "SOCI", ""),
    "au-ransom": ("payment_made", "payment", "Cyber Security Act 2024", ""),
    "nz-privacy": ("aware", "authority", "NZ", ""),
    "sg-pdpa": ("determined", "authority individuals", "PDPA|PDPC", "individuals"),
    "sg-mas": ("detected", "notify root_cause", "MAS|MAS TRM", ""),
    "hk-cap653": ("aware", "serious other written", "Hong Kong|Cap. 653", ""),
    "jp-appi": ("aware", "preliminary final individuals", "APPI|PPC", "individuals"),
    "kr-pipa": ("aware", "individuals authority", "PIPA|PIPC", "individuals"),
    "in-certin": ("aware", "report", "CERT-In", ""),
    "in-dpdp": ("aware", "individuals board_initial board_detailed", "DPDP|DPBI", "individuals"),
    "in-rbi": ("detected", "initial root_cause", "RBI", ""),
    "in-sebi": ("detected", "report", "SEBI", ""),
    "cn-incident": ("aware handled", "cii operator central_organ summary", "CAC|China", ""),
    "apac-72h": ("aware", "authority", "PDPC-TH|NPC-PH|MY PDPA|ID PDP|VN PDPL", ""),
    "sa-pdpl": ("aware", "authority individuals", "KSA PDPL|SDAIA", "individuals"),
    "sa-sama-nca": ("classified resumed", "immediate formal", "SAMA|NCA", ""),
    "ae": ("aware", "difc adgm", "UAE PDPL|DIFC|ADGM", ""),
    "za-popia": ("reasonable_belief", "authority", "POPIA", ""),
    "za-js2": ("classified", "notify", "PA/FSCA|Joint Standard 2", ""),
    "ke-dpa": ("aware", "authority processor_to_controller individuals", "Kenya|ODPC", "processor_to_controller individuals"),
    "ng-ndpa": ("aware", "authority individuals", "NDPA|NDPC", "individuals"),
    "pci": ("aware", "acquirer", "PCI|PCI DSS", "acquirer"),
}
REGIMES = {
    regime: (
        tuple(anchors.split()), tuple(stages.split()), tuple(aliases.split("|")),
        tuple(stage for stage in stages.split() if stage not in others.split()),
    )
    for regime, (anchors, stages, aliases, others) in _NAMES.items()
}
"""The anchors, the stages, the aliases, and the stages that go to a regulator, of each regime."""
