"""What people ask that no catalogue says: products' settings, prices, persons, indicators, news."""

from __future__ import annotations

import re

from cybersecqwen.knowledge.query import Query

_OF = r"s?(?: \w+){0,2} (?:for|of|to|that|used by|from|linked to)\b"
_TOOLS = (
    r"(?:splunk|kql|spl|sigma|yara|snort|suricata|elastic(?:search)?|sentinel|qradar|osquery|"
    r"velociraptor|volatility|sysmon|wireshark|zeek|misp|opencti|thehive|wazuh|shodan)"
)
_SETTINGS = r"(?:quer(?:y|ies)|rules?|artifacts?|searche?s?|configs?|configuration|plugins?)"
# Things that somebody wants to have, not to know about.
_WANTED = re.compile(
    r"\b(?:(?:e-?mail )?template|cheat ?sheet|checklist|playbook|download(?: link)?|installer|"
    r"poc|proof of concept|working exploit|exploit code|source code|sample|ioc)"
    rf"{_OF}|\b{_TOOLS}\b.{{0,40}}\b{_SETTINGS}\b|\b{_SETTINGS}\b.{{0,20}}\b{_TOOLS}\b|"
    r"^\W*(?:sigma|yara|snort|suricata|kql|spl) (?:for|to)\b",
    re.IGNORECASE,
)
_COMMANDS = re.compile(
    r"\b(?:kubectl|docker|aws|az|gcloud|terraform|ansible|git|helm|powershell|bash|linux|cmd) "
    r"(?:commands?|module|script|one-?liner|snippet|query)\b",
    re.IGNORECASE,
)
# What only who asks can know, or decide.
_OWN = re.compile(
    r"^\W*(?:please )?(?:scan|check|test|decrypt|crack|open|fix|delete|analy[sz]e|clean|block) "
    r"(?:me )?(?:my|our|this|these)\b|"
    r"\bis this (?:e-?mail|mail|message|file|site|link|url|hash|domain|ip|attachment)\b|"
    r"\bwhich of (?:my|our)\b|\b(?:is|are|am) (?:my|our|i|we)\b|"
    r"\bwho (?:should|do|can|must) (?:i|we) (?:call|contact|ask|inform|notify|tell|report)\b|"
    r"\bshould (?:i|we) (?:pay|call|buy|hire|trust)\b",
    re.IGNORECASE,
)
_REPAIRS = re.compile(
    r"^\W*(?:is there |what is )?(?:an? |the )?(?:patch|hotfix|workaround|fix|update)(?:es)? "
    r"(?:for|available)\b|\b(?:fixed|latest|patched|vulnerable) versions?\b|"
    r"\bversions? (?:is|are) (?:fixed|affected|vulnerable)\b|\d vulnerable\b",
    re.IGNORECASE,
)
_INDICATORS = re.compile(
    r"\b(?:indicators? of compromise|ip address(?:es)?|domain names?|domains|hash(?:es)?|wallets?|"
    r"c2 (?:servers?|domains?|addresses))(?: \w+){0,2} (?:for|of|used by|from|linked to)\b",
    re.IGNORECASE,
)
_ACTORS = frozenset({"group", "software", "campaign"})
# What is said of firms, persons and markets.
_WORLDLY = re.compile(
    r"\b(?:price|pricing|cost|fee|licen[cs]e cost|salar(?:y|ies)|wages?|revenue|turnover|"
    r"(?:stock|share) price|market share|phone number|telephone|e-?mail address(?:es)?|"
    r"home address|birthday|date of birth|net worth|ceo|ciso|cto|headquarters|founder|"
    r"employees)(?: \w+)? (?:of|for|at|per|does|do|is|was)\b|"
    r"\bwho (?:is the (?:ceo|ciso|cto|head|director|founder|boss)|founded|invented|owns|leads|"
    r"discovered|reported|found)\b|"
    r"\bhow (?:old|rich|tall|much (?:money|did|does|do|is|are)|many (?:people|companies|"
    r"employees|victims|hosts|servers|machines|computers))\b|"
    r"\bbetter than\b|\bworth (?:it|the money|buying)\b|"
    r"\b(?:best|cheapest|better|recommended|favou?rite) (?:siem|edr|xdr|book|course|"
    r"certifications?|vendors?|products?|antivirus|firewall|scanner)\b",
    re.IGNORECASE,
)
# What changes by the day, which a catalogue cannot know.
_NEWS = re.compile(
    r"\b(?:latest|newest|most recent|recent|last|current|new)(?: \w+){0,3} (?:cves?|patch(?:es)?|"
    r"patch tuesday|zero.?days?|0.?days?|breach(?:es)?|incidents?|outages?|news)\b|"
    r"\b(?:has|have|was|were) .{1,60} (?:been )?(?:exploited|patched|fixed|hacked|breached) "
    r"(?:in|by|at|yet|on)\b|"
    r"\b(?:today|yesterday|this (?:week|month|year)|right now|last (?:week|month|night))\b",
    re.IGNORECASE,
)
_SETS_UP = re.compile(
    r"^\W*(?:please )?(?:how (?:do|can|to|should)(?: (?:i|we|you|one))? ?)?"
    r"(?:set(?:ting)? ?up|roll ?out|configure|install|enable|deploy|upgrade|update|renew|rotate|"
    r"reset|import|enrol|uninstall|connect|integrate|onboard)\b",
    re.IGNORECASE,
)
_SCORES = re.compile(
    r"\bepss\b|\bkev\b|\bcvss\b|\bscores?\b|\bdue date\b|\bfixed in\b|\bpatch(?:ed)?\b|"
    r"\baffected versions?\b|\bwhen (?:was|did|is)\b|\bpublished\b|\bwhat date\b|"
    r"\bwho (?:found|reported|discovered)\b",
    re.IGNORECASE,
)
_EVENT_IDS = re.compile(r"\bevent ?ids?\b", re.IGNORECASE)


_KINDS = (_WANTED, _COMMANDS, _OWN, _WORLDLY, _NEWS)


def asks_elsewhere(query: Query) -> bool:
    """Whether a question asks what no catalogue of weaknesses and techniques says."""
    if query.cves:
        return False
    if _EVENT_IDS.search(query.skeleton) and not query.mentions:
        return True
    # A name may have swallowed words of the question: IP addresses are a technique's too.
    texts = (query.skeleton, query.corrected)
    if any(p.search(text) for p in _KINDS for text in texts):
        return True
    # "Patching" is a mitigation's name; who asks for a product's patch means none.
    if all(m.kind == "mitigation" for m in query.mentions) and _REPAIRS.search(query.corrected):
        return True
    named = any(mention.kind in _ACTORS for mention in query.mentions)
    return named and _INDICATORS.search(query.corrected) is not None


def asks_to_set_up(text: str) -> bool:
    """Whether a question asks how to set a product up."""
    return _SETS_UP.search(text) is not None


def asks_of_scores(text: str) -> bool:
    """Whether a question on a CVE asks what only its record says: scores, patches, dates."""
    return _SCORES.search(text) is not None
