"""Small made-up files in MITRE's formats: an ATT&CK and a CAPEC bundle, a CWE catalogue."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any


def attack_object(kind: str, name: str, title: str, text: str = "", **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "id": f"{kind}--{name}",
        "name": title,
        "description": text,
        "modified": "2025-03-01T00:00:00.000Z",
        "external_references": [
            {"source_name": "some vendor", "external_id": "unrelated"},
            {"source_name": "mitre-attack", "external_id": name},
        ],
        **more,
    }


def relation(kind: str, source: str, target: str, text: str = "", **more: Any) -> dict[str, Any]:
    return {
        "type": "relationship",
        "id": f"relationship--{source}-{kind}-{target}",
        "relationship_type": kind,
        "source_ref": source,
        "target_ref": target,
        "description": text,
        "modified": "2025-03-02T00:00:00.000Z",
        **more,
    }


def attack_objects() -> list[dict[str, Any]]:
    """A technique with a sub-technique, its neighbours, and entries taken back."""
    phase = [{"kill_chain_name": "mitre-attack", "phase_name": "credential-access"}]
    return [
        attack_object(
            "attack-pattern",
            "T9100",
            "Lantern Guessing",
            "Adversaries may guess lantern codes.(Citation: Vendor Blog (May 2020)) They like"
            " [Glowworm](https://attack.mitre.org/software/S9001) for it.\n\nThe second paragraph"
            " speaks of <code>lampctl</code> &amp; wicks.",
            kill_chain_phases=phase,
            x_mitre_platforms=["Linux", "Windows"],
        ),
        attack_object(
            "attack-pattern",
            "T9100.001",
            "Wick Spraying",
            "Adversaries may try one code against many lanterns so that no lantern locks.",
            kill_chain_phases=phase,
            x_mitre_is_subtechnique=True,
        ),
        attack_object("attack-pattern", "T9001", "Old Guessing", "Was used before.", revoked=True),
        attack_object(
            "attack-pattern", "T9002", "Older Guessing", "Long gone.", x_mitre_deprecated=True
        ),
        attack_object(
            "malware",
            "S9001",
            "Glowworm",
            "[Glowworm](https://attack.mitre.org/software/S9001) is a lamp toolkit.",
            x_mitre_aliases=["Glowworm", "DimBulb"],
        ),
        attack_object(
            "intrusion-set",
            "G9001",
            "Moth Swarm",
            "A group drawn to light.",
            aliases=["Moth Swarm", "APT-Moth"],
        ),
        attack_object("course-of-action", "M9001", "Lantern Lockout", "Lock after failures."),
        attack_object(
            "course-of-action", "T9100", "Old Mitigation", "Not an M id.", x_mitre_deprecated=True
        ),
        attack_object(
            "x-mitre-tactic",
            "TA9006",
            "Credential Access",
            "Stealing codes.",
            x_mitre_shortname="credential-access",
        ),
        attack_object("x-mitre-data-component", "DC9001", "Lamp Log", "Lines a lamp writes."),
        attack_object(
            "x-mitre-detection-strategy",
            "DET9001",
            "Detect lantern guessing",
            x_mitre_analytic_refs=["x-mitre-analytic--AN9001"],
        ),
        attack_object(
            "x-mitre-analytic",
            "AN9001",
            "Analytic 9001",
            "Count failed codes per lantern.",
            x_mitre_log_source_references=[
                {"x_mitre_data_component_ref": "x-mitre-data-component--DC9001", "name": "lamp"}
            ],
        ),
        attack_object("x-mitre-matrix", "lantern-attack", "Lantern ATT&CK"),
        relation("subtechnique-of", "attack-pattern--T9100.001", "attack-pattern--T9100"),
        relation("revoked-by", "attack-pattern--T9001", "attack-pattern--T9100.001"),
        relation(
            "mitigates",
            "course-of-action--M9001",
            "attack-pattern--T9100",
            "Lock the lantern after three wrong codes.(Citation: Vendor)",
        ),
        relation(
            "uses",
            "malware--S9001",
            "attack-pattern--T9100.001",
            "[Glowworm](https://attack.mitre.org/software/S9001) sprays wicks at dawn.",
        ),
        relation("uses", "intrusion-set--G9001", "malware--S9001", "Moths carry glowworms."),
        relation(
            "uses",
            "intrusion-set--G9001",
            "attack-pattern--T9100",
            "This relation was withdrawn.",
            x_mitre_deprecated=True,
        ),
        relation("detects", "x-mitre-detection-strategy--DET9001", "attack-pattern--T9100"),
    ]


def capec_objects() -> list[dict[str, Any]]:
    """Two attack patterns, one deprecated, and a mitigation."""
    common = {"modified": "2023-01-30T00:00:00.000Z", "x_capec_version": "3.9"}
    return [
        {
            **common,
            "type": "attack-pattern",
            "id": "attack-pattern--c1",
            "name": "Oil Injection",
            "description": "An attacker pours oil into a form field.",
            "external_references": [
                {"source_name": "capec", "external_id": "CAPEC-901"},
                {"source_name": "cwe", "external_id": "CWE-901"},
                {"source_name": "ATTACK", "external_id": "T9100"},
                {"source_name": "WASC", "external_id": "7"},
            ],
            "x_capec_status": "Draft",
            "x_capec_extended_description": "<xhtml:p>Oil floats &lt;on&gt; water.</xhtml:p>",
            "x_capec_prerequisites": ["The form takes oil."],
            "x_capec_consequences": {"Access_Control": ["Gain Privileges", "Bypass"]},
            "x_capec_skills_required": {"Low": "Pouring."},
            "x_capec_execution_flow": "<h2>Flow</h2><ol><li>Find a form</li></ol>",
            "x_capec_typical_severity": "High",
        },
        {
            **common,
            "type": "attack-pattern",
            "id": "attack-pattern--c2",
            "name": "DEPRECATED: Grease",
            "description": "Deprecated.",
            "external_references": [{"source_name": "capec", "external_id": "CAPEC-902"}],
            "x_capec_status": "Deprecated",
        },
        {
            **common,
            "type": "course-of-action",
            "id": "course-of-action--c3",
            "name": "coa-901-0",
            "description": "Wipe every field before use.",
        },
        {**relation("mitigates", "course-of-action--c3", "attack-pattern--c1"), **common},
    ]


def cwe_document() -> dict[str, Any]:
    """Two weaknesses, one deprecated, a category and a view."""
    return {
        "ContentVersion": "9.1",
        "ContentDate": "2026-01-21",
        "Weaknesses": [
            {
                "ID": "901",
                "Name": "Improper Draining of Fields ('Oil Injection')",
                "Status": "Stable",
                "Abstraction": "Base",
                "Description": "The product does not drain fields.",
                "ExtendedDescription": "\n\nFields fill up [REF-12].\n\n\nThen they spill.\n",
                "LikelihoodOfExploit": "High",
                "AlternateTerms": [{"Term": "OIL", "Description": "Short for it."}],
                "RelatedWeaknesses": [
                    {"Nature": "ChildOf", "CweID": "900", "ViewID": "1000"},
                    {"Nature": "ChildOf", "CweID": "900", "ViewID": "1003"},
                    {"Nature": "Unheard", "CweID": "5", "ViewID": "1"},
                ],
                "RelatedAttackPatterns": ["901"],
                "CommonConsequences": [
                    {"Scope": ["Integrity"], "Impact": ["Modify Memory"], "Note": "Slippery."}
                ],
                "PotentialMitigations": [
                    {"Phase": ["Implementation"], "Description": "Drain fields."},
                    {"Phase": ["Operation"], "Strategy": "Firewall", "Description": "Use sand."},
                ],
                "DetectionMethods": [
                    {"Method": "Fuzzing", "Description": "Pour oil.", "Effectiveness": "High"}
                ],
                "DemonstrativeExamples": [
                    {"Entries": [{"IntroText": "This code spills."}, {"ExampleCode": "pour();"}]}
                ],
                "ObservedExamples": [{"Reference": "CVE-2001-0001", "Description": "Lamp spilt."}],
                "MappingNotes": {"Usage": "Allowed", "Rationale": "Base level."},
            },
            {
                "ID": "902",
                "Name": "DEPRECATED: Improper Greasing",
                "Status": "Deprecated",
                "Description": "This entry was a duplicate of CWE-901.",
            },
        ],
        "Categories": [
            {
                "ID": "950",
                "Name": "Liquids",
                "Status": "Draft",
                "Summary": "Weaknesses that flow.",
                "Relationships": [{"CweID": "901", "ViewID": "1"}],
            }
        ],
        "Views": [{"ID": "960", "Name": "Workshop View", "Objective": "What workshops see."}],
    }


def write_bundle(path: Path, objects: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps({"type": "bundle", "id": "bundle--1", "objects": objects}), "utf-8")
    return path


def write_all(folder: Path) -> dict[str, Path]:
    """Write the three files; ``cwe`` is compressed, as a download may be."""
    cwe = folder / "cwe.json.gz"
    cwe.write_bytes(gzip.compress(json.dumps(cwe_document()).encode()))
    return {
        "attack": write_bundle(folder / "attack.json", attack_objects()),
        "capec": write_bundle(folder / "capec.json", capec_objects()),
        "cwe": cwe,
    }


def cwe_xml() -> str:
    """The same catalogue as ``cwe_document``, in the XML form."""
    return """<?xml version="1.0" encoding="UTF-8"?>
<Weakness_Catalog Name="CWE" Version="9.1" Date="2026-01-21"
  xmlns="http://cwe.mitre.org/cwe-7" xmlns:xhtml="http://www.w3.org/1999/xhtml">
 <Weaknesses>
  <Weakness ID="901" Name="Improper Draining of Fields ('Oil Injection')" Abstraction="Base"
    Structure="Simple" Status="Stable">
   <Description>The product does not drain fields.</Description>
   <Extended_Description><xhtml:p>Fields fill up [REF-12].</xhtml:p><xhtml:p>Then they
 <xhtml:i>spill</xhtml:i>.</xhtml:p></Extended_Description>
   <Related_Weaknesses>
    <Related_Weakness Nature="ChildOf" CWE_ID="900" View_ID="1000" Ordinal="Primary"/>
    <Related_Weakness Nature="ChildOf" CWE_ID="900" View_ID="1003"/>
    <Related_Weakness Nature="Unheard" CWE_ID="5" View_ID="1"/>
   </Related_Weaknesses>
   <Alternate_Terms><Alternate_Term><Term>OIL</Term>
    <Description>Short for it.</Description></Alternate_Term></Alternate_Terms>
   <Likelihood_Of_Exploit>High</Likelihood_Of_Exploit>
   <Common_Consequences><Consequence><Scope>Integrity</Scope><Impact>Modify Memory</Impact>
    <Note>Slippery.</Note></Consequence></Common_Consequences>
   <Detection_Methods><Detection_Method><Method>Fuzzing</Method>
    <Description>Pour oil.</Description><Effectiveness>High</Effectiveness></Detection_Method>
   </Detection_Methods>
   <Potential_Mitigations>
    <Mitigation><Phase>Implementation</Phase><Description>Drain fields.</Description></Mitigation>
    <Mitigation><Phase>Operation</Phase><Strategy>Firewall</Strategy>
     <Description>Use sand.</Description></Mitigation>
   </Potential_Mitigations>
   <Demonstrative_Examples><Demonstrative_Example><Intro_Text>This code spills.</Intro_Text>
    <Example_Code Nature="Bad"><xhtml:div>pour();</xhtml:div></Example_Code>
   </Demonstrative_Example></Demonstrative_Examples>
   <Observed_Examples><Observed_Example><Reference>CVE-2001-0001</Reference>
    <Description>Lamp spilt.</Description><Link>https://example.org</Link></Observed_Example>
   </Observed_Examples>
   <Related_Attack_Patterns><Related_Attack_Pattern CAPEC_ID="901"/></Related_Attack_Patterns>
   <Mapping_Notes><Usage>Allowed</Usage><Rationale>Base level.</Rationale>
    <Reasons><Reason Type="Acceptable-Use"/></Reasons></Mapping_Notes>
   <Content_History><Submission><Submission_Name>x</Submission_Name></Submission>
   </Content_History>
  </Weakness>
  <Weakness ID="902" Name="DEPRECATED: Improper Greasing" Structure="Simple"
    Status="Deprecated">
   <Description>This entry was a duplicate of CWE-901.</Description>
  </Weakness>
 </Weaknesses>
 <Categories>
  <Category ID="950" Name="Liquids" Status="Draft"><Summary>Weaknesses that flow.</Summary>
   <Relationships><Has_Member CWE_ID="901" View_ID="1"/></Relationships></Category>
 </Categories>
 <Views>
  <View ID="960" Name="Workshop View" Type="Graph" Status="Draft">
   <Objective>What workshops see.</Objective></View>
 </Views>
</Weakness_Catalog>
"""
