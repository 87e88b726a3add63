"""Tests of the words in columns and values, such as notes in brackets, articles and compounds."""

from pathlib import Path

import pytest
from incidents_cli.console import StepFailed
from incidents_cli.operate.importing import mapping, suggesting, words
from incidents_cli.operate.importing.rows import read

from tests.support import workbooks
from tests.support.proposals import imported, of
from tests.support.workbooks import Cell

COLUMNS = {
    "incident_number": ["Vorfall-Nr. (intern)", "Nummer des Vorfalls", "Numéro de l'incident", "Número de incidente",
                        "Breach reference number", "N° de la violation", "Request ID"],
    "title": ["Titel des Vorfalls", "Vorfallstitel", "Title of Incident", "Titre de l'incident", "Título del incidente",
              "Betreff (kurz)", "Vorfall (Kurztitel)"],
    "description": ["Beschreibung des Sicherheitsvorfalls", "Description de l\u2019incident"],
    "root_cause": ["Ursache der Störung", "Root Cause (if known)", "Cause de l'incident"],
    "severity": ["Schwere des Vorfalls", "Schweregrad (vorläufig)", "Prioritaet", "Incident Severity (1-4)",
                 "Gravité de l\u2019incident"],
    "status": ["Status (Jira)", "Status des Tickets", "Security Incident Status", "Estado del incidente"],
    "occurred_at": ["Beginn des Vorfalls", "Eingetreten am (geschätzt)", "erfolgt am", "Datum der Störung",
                    "Incident Start (UTC)", "Date Incident Occurred", "Date de début de l'incident",
                    "Fecha del incidente", "Wann ist der Vorfall eingetreten?"],
    "detected_at": ["Erkannt am (UTC)", "Datum und Uhrzeit der Erkennung", "Zeitpunkt der Entdeckung des Vorfalls",
                    "Entdeckungs-Datum", "Wann wurde der Vorfall entdeckt?", "Date of Detection (UTC)",
                    "Date/Time Detected", "When was it detected?", "Date de détection", "Fecha de detección",
                    "Erstellt am (MEZ)", "Created Time", "Date of awareness", "When did you discover it?",
                    "Data de detecção", "Geöffnet", "Date Entered"],
    "reported_at": ["Meldung an ISB", "Datum (Meldung)", "Date reported to CISO", "Date de signalement au RSSI"],
    "contained_at": ["Datum der Eindämmung", "Eindaemmung erfolgt am", "Eindämmungsdatum", "Date of Containment",
                     "Eindämmung abgeschlossen am", "Date de confinement", "Fecha de contención"],
    "closed_at": ["Erledigung", "Abschlussdatum des Tickets", "Ende des Vorfalls", "Incident End Time", "Closed Time",
                  "Date Closed (UTC)", "Date de cloture", "Fecha de cierre (UTC)"],
    "reported_to_regulators_at": ["Meldung nach Art. 33 DSGVO am", "Meldung an BSI (Datum)", "Notification to ICO",
                                  "Notification à la CNIL le", "Notificación a la AEPD"],
    "customer_notified_at": ["Meldung an Kunden am", "Benachrichtigung nach Art. 34 DSGVO",
                             "Information der Betroffenen erfolgt am", "Date data subjects notified",
                             "Date d\u2019information des personnes concernées",
                             "Fecha de comunicación a los afectados"],
    "affected_asset_ids": ["Betroffene Systeme / Anwendungen", "Affected systems and data"],
    "owner_id": ["Agent", "Zuständig (Fachbereich)"],
    "financial_impact": ["Schaden (geschätzt)", "Geschätzter Schaden", "Estimated cost (USD)"],
    "last_known_at": ["Datum der letzten Änderung", "Last Update Time"],
}  # fmt: skip

OTHERS = [
    # names of plans, durations and persons, which are not dates of an incident
    "Geschlossen am (geplant)", "Geschlossen am (geschätzt)", "Geplantes Enddatum", "Planned End Date", "Due Date",
    "Fecha de cierre prevista", "Erkennung [h]", "Dauer der Eindämmung", "Zeit bis Erkennung", "Time to Resolve",
    "Resolution Time (in hrs)", "Geschlossen durch", "Gemeldet von", "Closed by", "Wer hat den Vorfall gemeldet?",
    "Name (Melder)", "ID (intern)", "Ort der Entdeckung", "Art der Entdeckung", "Anzahl der Meldungen",
    "Meldung an Kunden und Behörden", "Letzte Meldung", "First response at", "Event ID", "Vorfall", "Incident",
    "Ursache / Maßnahmen", "Meldepflichtig?", "Status / Bemerkung", "(geplant)", "()", "Closed (Y/N)",
    "Card number", "Issue date", "Notice date", "Operator",
]  # fmt: skip


@pytest.mark.parametrize(("column", "field"), [(name, field) for field, listed in COLUMNS.items() for name in listed])
def test_articles_notes_and_the_word_for_the_incident_do_not_change_a_column(column: str, field: str) -> None:
    assert words.meaning(column) == field


@pytest.mark.parametrize("column", OTHERS)
def test_other_words_change_a_column(column: str) -> None:
    assert words.meaning(column) is None


@pytest.mark.parametrize(
    ("field", "text", "meaning"),
    [
        ("status", "in Bearbeitung (ext.)", "investigating"), ("status", "Closed - resolved by vendor", "closed"),
        ("status", "in bearbeitung extern", "investigating"), ("status", "(ext.) in Bearbeitung", "investigating"),
        ("status", "Closed \u2013 False Positive", "dismissed"), ("status", "Geschlossen (Fehlalarm)", "dismissed"),
        ("status", "closed as duplicate", "dismissed"), ("status", "Closed, duplicate", "dismissed"),
        ("status", "offen / in Bearbeitung", "investigating"), ("status", "Pending - Vendor", "investigating"),
        ("status", "In Bearbeitung bei Dienstleister", "investigating"), ("status", "open since March", "new"),
        ("status", "Wartet auf Hersteller", "investigating"), ("status", "waiting for vendor", "investigating"),
        ("status", "geschlossen am 03.04.2024", "closed"), ("status", "gelöst durch Hersteller", "closed"),
        ("status", "Abgeschlossen: keine Maßnahmen", "closed"), ("status", "Eingedaemmt", "contained"),
        ("status", "Fermé (résolu)", "closed"), ("status", "En cours - chez le fournisseur", "investigating"),
        ("status", "cerrado por proveedor", "closed"), ("severity", "Hoch (vorläufig)", "high"),
        ("severity", "High - production down", "high"), ("severity", "P2 (High)", "high"),
        ("severity", "2 - Mittel (geschätzt)", "medium"), ("severity", "Elevee", "high"),
        # names with two meanings, or with a word that may change the meaning, become a question
        ("status", "Open - closed by vendor", None), ("status", "Resolved - waiting for customer", None),
        ("status", "nicht geschlossen", None), ("status", "not closed", None), ("status", "Vendor: closed", None),
        ("severity", "P1 (High)", None), ("severity", "hoch / sehr hoch", None), ("severity", "nicht kritisch", None),
        ("severity", "Level 2: Serious", None), ("severity", "1", None), ("severity", "hoch oder sehr hoch", None),
        ("status", "-", None),
    ],
)  # fmt: skip
def test_a_note_does_not_change_a_value_unless_it_is_a_value(field: str, text: str, meaning: str | None) -> None:
    assert words.value(field, text) == meaning


def written(folder: Path, text: str) -> Path:
    file = folder / "list.csv"
    file.write_text(text, "utf-8")
    return file


def test_a_column_with_a_note_is_no_second_status(tmp_path: Path) -> None:
    toml, questions, _ = of(written(tmp_path, "Titel;Status (Hersteller);Status\nA;RMA 7;offen\n"))
    assert (questions, '"Status" = "status"' in toml, '"Status (Hersteller)" = ' in toml) == ([], True, False)


def test_a_name_with_the_word_for_the_incident_is_no_better_than_without_it() -> None:
    assert words.rank("Störungs-ID") == words.rank("id") > words.rank("Vorgangsschlüssel")
    assert words.rank("Schwere des Vorfalls") == words.rank("schwere") < words.rank("Priorität")


def test_of_two_dates_the_one_without_a_note_is_taken(tmp_path: Path) -> None:
    (row,) = imported(written(tmp_path, "Titel;Erkannt am (geschätzt);Erkannt am\nA;03.03.2024;04.03.2024\n"))
    assert row.body["detected_at"] == "2024-03-04T00:00:00.000Z"
    assert row.body["description"] == "Erkannt am (geschätzt): 03.03.2024"


def test_a_column_that_only_may_have_dates_must_have_dates(tmp_path: Path) -> None:
    text = "Titel;Meldung an ISB;Lösung\nA;ja;04.03.2024\nB;nein;Neustart am 04.03.2024\nC;05.03.2024;Neustart\n"
    rows = imported(written(tmp_path, text))
    assert [set(row.body) for row in rows] == [{"title", "description"}] * 3
    (row,) = imported(written(tmp_path, "Titel;Meldung an ISB\nA;05.03.2024\n"))
    assert row.body["reported_at"] == "2024-03-05T00:00:00.000Z"


@pytest.mark.parametrize(
    ("head", "zone", "said", "noted"),
    [
        ("Created (UTC);Closed (UTC)", None, 'zone = "UTC"  # from the names', False),
        ("Created (UTC+01:00);Closed (UTC+01:00)", None, 'zone = "+01:00"  # from the names', False),
        ("Created (GMT+1);Closed (UTC)", None, 'zone = "?"', True),
        ("Created (GMT+1);Closed (GMT+1)", "UTC", 'zone = "UTC"', True),
        ("Created (UTC);Closed", None, 'zone = "?"', True),
        ("Created (UTC);Closed (UTC)", "Europe/Berlin", 'zone = "Europe/Berlin"', True),
        ("Created;Closed", "Europe/Berlin", 'zone = "Europe/Berlin"', False),
    ],
)
def test_a_zone_in_the_name_of_a_column_is_not_ignored(
    tmp_path: Path, head: str, zone: str | None, said: str, noted: bool
) -> None:
    file = written(tmp_path, f"Title;{head}\nA;2024-03-04 10:00;2024-03-05 10:00\n")
    toml, _, notes = suggesting.suggest(file, {"zone": zone} if zone else {})
    assert said in toml
    assert any(", as its name says" in note for note in notes) == noted


def test_an_owner_that_is_nobody_is_none(tmp_path: Path) -> None:
    file = written(tmp_path, "Title,Owner,Tags,Category\nA,-,none,n/a\nB,Ann,x,y\n")
    first, second = imported(file)
    assert first.body == {"title": "A", "description": "Owner: -\nTags: none\nCategory: n/a"}
    assert (second.body["owner_id"], second.body["tags"], second.body["category"]) == ("Ann", ["x"], "y")


def test_a_category_that_is_too_long_is_no_category(tmp_path: Path) -> None:
    text = f"Title,Category\nA,x\nB,{'long ' * 14}\n"
    first, _ = imported(file := written(tmp_path, text))
    assert first.body == {"title": "A", "description": "Category: x"}
    assert '"Category" has a cell of more than 64 characters.' in of(file).notes


def test_lines_above_the_header_with_words_of_columns_are_not_the_header(tmp_path: Path) -> None:
    above: list[list[Cell]] = [["Titel:", "Register", "Status:", "Entwurf"], ["Erstellt am", "01.02.2025"]]
    head: list[Cell] = ["Vorfall-Nr.", "Titel", "Status", "Erkannt am"]
    rows: list[list[Cell]] = [["V-1", "A", "offen", "04.03.2024"]]
    file = workbooks.write(tmp_path / "list.xlsx", {"S": [*above, head, *rows]})
    assert [row.body["title"] for row in imported(file)] == ["A"]


def test_an_unknown_column_of_a_plain_file_is_not_called_a_date_by_one_word(tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as refused:
        list(read(written(tmp_path, "title,information,resolved on\nA,x,y\n")))
    assert ("reported_at" in refused.value.detail, "closed_at" in refused.value.detail) == (False, True)


# --- headings inside the table, and cells that are not numbers


HEAD: list[Cell] = ["Vorfall-Nr.", "Titel", "Status", "Schweregrad"]
TABLE: list[list[Cell]] = [
    HEAD, ["1. Halbjahr \u2013 Vorfälle"], ["V-1", "A", "offen", "hoch"], ["V-2", "B", "offen", "gering"], HEAD,
    ["2. Halbjahr \u2013 Vorfälle"], ["V-3", "C", "neu", "hoch"],
]  # fmt: skip


def test_headings_inside_the_table_do_not_drop_the_column_of_numbers(tmp_path: Path) -> None:
    file = workbooks.write(tmp_path / "list.xlsx", {"S": TABLE})
    rows = imported(file)
    assert [row.body["incident_number"] for row in rows if not row.unreadable] == ["V-1", "V-2", "V-3"]
    reasons = [row.unreadable[0].detail for row in rows if row.unreadable]
    assert [reason.partition(";")[0] for reason in reasons] == [
        "is missing, and the row has only one cell", "repeats the names of the columns",
        "is missing, and the row has only one cell",
    ]  # fmt: skip


def test_headings_do_not_hide_that_a_column_only_counts_the_rows(tmp_path: Path) -> None:
    table: list[list[Cell]] = [["Nr.", "Titel", "Status"], ["2023"], [1, "A", "neu"], [2, "B", "neu"], ["2024"],
                               [3, "C", "neu"], [4, "D", "neu"]]  # fmt: skip
    proposal = of(workbooks.write(tmp_path / "list.xlsx", {"S": table}))
    assert '"Nr." = "incident_number"  # may only count the rows' in proposal.toml


def test_a_few_cells_that_are_no_numbers_do_not_drop_the_column(tmp_path: Path) -> None:
    text = "Vorfall-Nr.;Titel\nV-1;A\nV-2;B\nfolgt;C\nV-3;D\n-;E\nnächste;F\nV-4;G\n"
    proposal = of(file := written(tmp_path, text))
    rows = imported(file)
    assert [row.body.get("incident_number") for row in rows] == ["V-1", "V-2", None, "V-3", None, None, "V-4"]
    assert rows[2].body["description"] == "Vorfall-Nr.: folgt"
    assert any(note.startswith('"Vorfall-Nr." has cells that are not numbers') for note in proposal.notes)


def test_a_column_without_numbers_is_not_the_number(tmp_path: Path) -> None:
    toml, _, notes = of(written(tmp_path, "Nummer;Titel\nVö-1;A\nVö-2;B\nV-3;C\n"))
    assert '"Nummer" = ' not in toml
    assert '"Nummer" has a value that cannot be a number of an incident: "Vö-1".' in notes


# --- a given mapping


def test_the_comment_of_a_given_column_of_times_is_true(tmp_path: Path) -> None:
    file = written(tmp_path, "Was;Tag;Uhrzeit;Zweiter;Stand;Neuer Stand\nA;04.03.2024;14:30;;5.3.2024;6.3.2024\n")
    columns = {"Was": "title", "Tag": "detected_at", "Uhrzeit": "detected_at", "Zweiter": "detected_at",
               "Stand": "last_known_at", "Neuer Stand": "last_known_at"}  # fmt: skip
    given = tmp_path / "given.toml"
    given.write_text("[columns]\n" + "".join(f'"{name}" = "{field}"\n' for name, field in columns.items()), "utf-8")
    toml = of(file, str(given)).toml
    assert '"Uhrzeit" = "detected_at"  # the times of day of Tag' in toml
    assert '"Zweiter" = "detected_at"  # where Tag is empty' in toml
    assert '"Neuer Stand" = "last_known_at"  # only for' in toml
    (tmp_path / "map.toml").write_text(toml, "utf-8")
    (row,) = read(file, mapping.load(str(tmp_path / "map.toml")))
    assert row.body["detected_at"] == "2024-03-04T14:30:00.000Z"
