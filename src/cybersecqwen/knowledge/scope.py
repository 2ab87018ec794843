"""What people ask that no catalogue says: products' settings, prices, persons, indicators, news."""

from __future__ import annotations

import re

from cybersecqwen.knowledge.intents import Intent
from cybersecqwen.knowledge.query import Query

_OF = r"s?(?: \w+){0,2} (?:for|of|to|that|used by|from|linked to)\b"
_TOOLS = (
    r"(?:splunk|kql|spl|sigma|yara|snort|suricata|elastic(?:search)?|sentinel|qradar|osquery|"
    r"velociraptor|volatility|sysmon|wireshark|zeek|misp|opencti|thehive|wazuh|shodan)"
)
_SETTINGS = r"(?:quer(?:y|ies)|rules?|artifacts?|searche?s?|configs?|configuration|plugins?)"
_CODE = (
    r"(?:commands?|scripts?|one-?liners?|snippets?|regex(?:es)?|regexp|macro|cmdlets?|payloads?)"
)
_GOODS = (
    r"(?:siem|edr|xdr|books?|courses?|certifications?|certs?|vendors?|products?|antivirus|anti-?virus|"
    r"av|firewalls?|scanners?|univers\w+|schools?|colleges?|degrees?|bootcamps?|trainings?|laptops?|"
    r"phones?|podcasts?|blogs?|newsletters?|conferences?|youtube\w*|channels?|websites?|tools?|"
    r"vpns?|password managers?|managers?|distros?|languages? to learn|careers?|jobs?|"
    r"compan(?:y|ies)|mssps?|providers?|solutions?|services?|platforms?)"
)
# Things that somebody wants to have, not to know about.
_WANTED = re.compile(
    r"\b(?:(?:e-?mail )?template|cheat ?sheet|checklist|playbook|download(?: link)?|installer|"
    r"course|tutorial|interview question|certification|exam|poc|proof of concept|working exploit|"
    r"exploit code|source code|sample(?! codes?\b)|ioc)"
    rf"{_OF}|\b{_TOOLS}\b.{{0,40}}\b{_SETTINGS}\b|\b{_SETTINGS}\b.{{0,20}}\b{_TOOLS}\b|"
    r"^\W*(?:sigma|yara|snort|suricata|kql|spl) (?:for|to)\b|"
    rf"\b{_TOOLS} (?:hunts?|packs?|dashboards?|detections?|signatures?|content|playbooks?)\b",
    re.IGNORECASE,
)
_HANDS_OVER = re.compile(
    rf"\b(?:{_CODE}|quer(?:y|ies)|kql|spl|eql) (?:for|to|that|which)\b|"
    r"^\W*(?!(?:detect|hunt|prevent|mitigat|stop|block|monitor|find|spot|watch|identify|protect|"
    r"what|which|who|how|is|are|do|does|can)\w*\b)"
    rf"(?:[\w-]+ ){{1,5}}{_CODE}\W*$|"
    r"\b(?:python|bash|perl|go|java|powershell|c\+\+|rust) (?:code|program|function|library|"
    r"module) (?:for|to|that)\b|"
    r"^\W*(?:please )?(?:(?:where|how) (?:can|do|could) (?:i|we) |how to |i want to )?"
    r"(?:download|compile|buy|crack|pirate)\b|"
    r"\bhow (?:to|(?:can|do|should) (?:i|we)) (?:choose|pick|select|buy)\b"
    r"(?!.*\b(?:cwe|capec|weakness|mapping|technique)\b)|"
    r"\bhow (?:can|do|should|could) (?:i|we) (?:use|run|start|launch|operate) @_software|"
    r"^\W*how to (?:use|run|operate) @_software",
    re.IGNORECASE,
)
_COMMANDS = re.compile(
    r"\b(?:kubectl|docker|aws|az|gcloud|terraform|ansible|git|helm|powershell|bash|linux|cmd) "
    r"(?:commands?|module|script|one-?liner|snippet|query)\b",
    re.IGNORECASE,
)
# What only who asks can know, or decide.
_OWN = re.compile(
    r"^\W*(?:please )?(?:scan|check|test|decrypt|crack|open|fix|delete|analy[sz]e|clean|block|"
    r"decode|deobfuscate|translate|convert|summari[sz]e|look at) "
    r"(?:me )?(?:my|our|this|these)\b|"
    r"\bis this (?:e-?mail|mail|message|file|site|link|url|hash|domain|ip|attachment)\b|"
    r"\b(?:is|are) (?:this|that|these|those) (?:\w+ )?(?:malicious|safe|bad|dangerous|legit\w*|"
    r"suspicious|infected)\b|"
    r"\b(?:is|are) (?:down|slow|offline|broken|locked|not working)\W*$|"
    r"\b(?:is|are) \d{1,3}(?:\.\d{1,3}){3}\b|\b(?:in|as) (?:word|excel|pdf|powerpoint) format\b|"
    r"\bwhich of (?:my|our)\b|"
    r"\b(?:is|are|am) (?:my|our|i|we)\b(?! (?:allowed|permitted|supposed|right|correct|free|ok))|"
    r"\bwho (?:should|do|can|must) (?:i|we) (?:call|contact|ask|inform|notify|tell|report)\b|"
    r"\bshould (?:i|we) (?:pay|call|buy|hire|trust|reboot|restart|shut ?down|unplug|reinstall|wipe|"
    r"format|disconnect|turn (?:it )?off)\b|"
    r"^\W*(?:please )?(?:look at|open|read|check|analy[sz]e|scan) the "
    r"(?:screenshot|file|attachment|pcap|logs?|image|picture|link|report|mail|e-?mail)\b|"
    r"\bhow (?:to|(?:do|can|could) i) (?:hack|phish|ddos|crack|spy on|break in(?:to)?|dox|stalk|"
    r"infect|hijack|bypass|unlock)\b.*\b(?:my|his|her|their|someone\w*|somebody\w*|friends?|ex|"
    r"neighbou?rs?|wife|husband|boss|colleagues?|school)\b",
    re.IGNORECASE,
)
_REPAIRS = re.compile(
    r"^\W*(?:is there |what is )?(?:an? |the )?(?:patch|hotfix|workaround|fix|update)(?:es)? "
    r"(?:for|available)\b|\b(?:fixed|latest|patched|vulnerable) versions?\b|"
    r"\bversions? (?:is|are) (?:fixed|affected|vulnerable)\b|\d vulnerable\b|"
    r"\b(?:have|has|had|released?|offers?|published?|ships?|there) (?:an? |any |the )?(?:fix|patch|"
    r"hotfix|update|workaround)(?:es)?\b|"
    r"\b(?:which|what) (?:products?|vendors?|versions?|devices?|models?|builds?) "
    r"(?:are|is|were|was|fix(?:es)?|patch(?:es)?|contains?)\b",
    re.IGNORECASE,
)
# What somebody lets a tool write, who takes it for a clerk.
_ORDERS = re.compile(
    r"^\W*(?:please |pls |can you |could you |i need you to |help me (?:to )?)?(?:write|"
    r"draft|compose|prepare|generate|create|make|build|design|produce|craft|develop)(?: up| out)? "
    r"(?!(?:\w+ )?(?:lists?|overview|summary|comparison)\b)(?:(?:me|us) )?"
    r"(?:an?|the|some|our|my|this)\b",
    re.IGNORECASE,
)
# Said to the tool, or of the place where it is asked.
_HERE = re.compile(
    r"\b(?:(?:can|could|will|would) you (?!(?:please )?(?:explain|give|tell|provide|describe|list|"
    r"show|define|name|say|help me understand)\b)|(?:do|did|are|were|have|should) "
    r"you\b)|\byour? (?:service|company|team|"
    r"support|product|name|job|favou?rite|customers?|system|opinion|help)\b|"
    r"\b(?:are you|you are|you're)\b|"
    r"^\W*(?:who|whom) (?:to (?:call|contact|ask)|has access|is (?:the )?(?:contact|responsible)|"
    r"controls|updates|manages|approves|signs)\b|"
    r"\bhow (?:do|can|should) (?:i|we|you) (?:upload|connect|measure|ensure compliance|"
    r"reset|change|access|log ?in|get (?:to|a|an|my|access))\b|"
    r"\b(?:i|we) need to (?:update|change|reset|get|have|know|access)\b|"
    r"\bstay informed\b|\bsecurity policy\b",
    re.IGNORECASE,
)
# The same, of a question that asks for no kind of entry and no part of one.
_GOES_ON = re.compile(
    r"^\W*(?:is|are) (?:[\w.+-]+ ){1,4}(?:secure|safe|trustworthy|mandatory|compliant|free)\W*$|"
    r"^\W*(?:is|are|was|were|have|has|did|does|do) (?:there(?! (?:a|any) way)|any|anyone|"
    r"somebody|someone|the|this|these|we|our|my|i)\b|"
    r"\b(?:our|my) (?:\w+ )?(?:organi[sz]ation|company|team|network|system|systems|servers?|users?|"
    r"accounts?|laptops?|computers?|data|logs?|environment|budget|manager|office|repository|"
    r"service|clients?|staff|employees?)\b",
    re.IGNORECASE,
)
# Where something lies on a machine or on the web.
_PLACES = re.compile(
    r"^\W*where (?:is|are|does|do|did|was|were|can|could|should|will)\b"
    r"(?!.*\b(?:attack\w*|adversar\w*|malware|hackers?|cwe|capec|weakness|technique|introduced)\b)"
    r".*\b(?:stor(?:e[sd]?|ing)|kept|keep|located?|saved?|find|found|download\w*|buy|logs?|files?|"
    r"folder|disk|set|changed?|see|live[sd]?|born|buried|based|headquartered)\b",
    re.IGNORECASE,
)
_INDICATORS = re.compile(
    r"\b(?:indicators? of compromise|ip address(?:es)?|(?:c2 )?ips|urls?|mutex(?:es)?|user agents?|"
    r"domain names?|domains|hash(?:es)?|wallets?|"
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
    r"\bwho (?:is the (?:ceo|ciso|cto|head|director|founder|boss)|founded|invented|coined|"
    r"owns|leads|discovered|reported|found)\b|"
    r"\bhow (?:old|rich|tall|big is|much (?:money|did|does|do|is|are)|many (?:people|companies|"
    r"employees|victims|hosts|servers|machines|computers|hours|days))\b|"
    r"\bhow (?:often|long) (?:to|should|must|do|does|did|is|are|will)\b(?! .{0,40}\bexploited)|"
    r"\b(?:statistics|percentage of|share of companies|average (?:cost|time|number)|median)\b|"
    r"\bdefault (?:password|port|login|user(?:name)?) (?:of|for) (?:an?|the|my|our)\b|"
    r"\bwhat(?:'s| is) the (?:default|maximum|minimum) |"
    r"\bnames? (?:of )?(?:the )?(?:people|persons|members|developers|officers|leaders?) "
    r"(?:behind|of|in)\b|"
    r"\bwho (?:arrested|indicted|sued|hired|pays|wrote|reported)\b|\b(?:was|were) anyone\b|"
    r"\bmost money\b|\bfixed (?:releases?|builds?)\b|"
    rf"\bis the (?:best|cheapest)\W*$|\b(?:which|what) (?:\w+ )?{_GOODS} (?:is|are) (?:the )?"
    r"(?:best|better|cheapest|good|safest|recommended)\b|"
    r"\b(?:who|which) (?:\w+ )?makes? the (?:best|most)\b|"
    r"\b(?:conference|webinar|podcast|talk)s? (?:talks? )?"
    r"(?:about|on)\b|\bbetter than\b|\bworth (?:it|the money|buying)\b|"
    rf"\b(?:best|cheapest|better|recommended|favou?rite|good) (?:\w+ )?{_GOODS}\b"
    r"(?! (?:for|of|to|in) (?:@|cwe|cve|capec|t\d))",
    re.IGNORECASE,
)
# What changes by the day, which a catalogue cannot know.
_NEWS = re.compile(
    r"\b(?:latest|newest|most recent|recent|last|current|new)(?: \w+){0,3} (?:cves?|patch(?:es)?|"
    r"patch tuesday|zero.?days?|0.?days?|breach(?:es)?|incidents?|outages?|news)\b|"
    r"\b(?:has|have|was|were) .{1,60} (?:been )?(?:exploited|patched|fixed|hacked|breached) "
    r"(?:in|by|at|yet|on)\b|"
    r"\bnews (?:about|on|of)\b|\btrends? (?:in|for|of)\b|\b(?:today|yesterday|this (?:week|month|"
    r"year)|right now|last (?:week|month|night))\b",
    re.IGNORECASE,
)
# About the catalogues' makers and tools, which their entries do not speak of.
_CATALOGUES = re.compile(
    r"(?:\bwho (?:maintains?|runs?|owns?|funds?|wrote|made|created|publishes|started)|"
    r"\bwhen (?:was|were|did|will|is)|\bwhere (?:can|do|could|is|are)|"
    r"\bhow (?:is|are)(?=.{0,40}\b(?:funded|financed)\b)|"
    r"\bhow (?:can|do|could|should) (?:i|we|one) (?:submit|suggest|contribute|become|join|cite|"
    r"report|propose|get)|\bhow to (?:submit|suggest|contribute|become|join|cite)|"
    r"\b(?:latest|newest|next|previous) (?:version|release|update))\b.{0,40}"
    r"\b(?:cwe|capec|att&?ck|mitre|cve|cna|nvd|navigator)\b|"
    r"\b(?:cwe|capec|att&?ck|mitre|cve|nvd) (?:\w+ )?(?:release notes|changelog|version changes|"
    r"api|licen[cs]e|newsletter|conference|workbench)\b|\bnavigator\b",
    re.IGNORECASE,
)
_PARTS_OF_PRODUCTS = re.compile(
    r"^\W*(?:[\w-]+ ){1,4}(?:settings?|pricing|licen[cs]ing|dashboards?|integrations?|connectors?|"
    r"api keys?|exclusions?)\W*$",
    re.IGNORECASE,
)
_ADMINISTERS = re.compile(
    r"\bhow (?:to|(?:do|can|should|could) (?:i|we|you|one)) (?:create|open|register|order|cancel|"
    r"export|import|rename|migrate|subscribe|sign up|unsubscribe|unlock|recover|undo|convert|print|"
    r"share|schedule|lower|increase|speed up|silence|mute|add|enroll?|sort|merge|commit|reverse)\b"
    r"(?!.*\b(?:mitigat|technique|cwe|capec|malicious|attack))|"
    r"^\W*(?:please )?(?:create|add|enroll?|register|sort|undo|export|import|convert|rename)\b",
    re.IGNORECASE,
)
_COUNTS = re.compile(r"\bhow many\b|\bnumber of\b", re.IGNORECASE)
_SETS_UP = re.compile(
    r"^\W*(?:please )?(?:how (?:do|can|to|should)(?: (?:i|we|you|one))? ?)?"
    r"(?:set(?:ting)? ?up|roll ?out|configure|install|enable|deploy|upgrade|update|renew|rotate|"
    r"reset|import|enrol|uninstall|connect|integrate|onboard)\b",
    re.IGNORECASE,
)
_SCORES = re.compile(
    r"\bepss\b|\bkev\b|\bcvss\b|\bpocs?\b|\bproof of concept\b|\bexploits? (?:for|of|code)\b|"
    r"\bmetasploit\b|\bscores?\b|\bdue date\b|\bfixed in\b|\bpatch(?:ed)?\b|"
    r"\baffected (?:versions?|products?)\b|\b(?:hot)?fix(?:es)? (?:for|of)\b|\bworkarounds?\b|"
    r"\bwhen (?:was|did|is)\b|\bpublished\b|\bwhat date\b|"
    r"\b(?:publication|release|disclosure) date\b|\bwho (?:found|reported|discovered)\b",
    re.IGNORECASE,
)
_EVENT_IDS = re.compile(r"\bevent ?ids?\b", re.IGNORECASE)


_KINDS = (_WANTED, _COMMANDS, _OWN, _WORLDLY, _NEWS, _PARTS_OF_PRODUCTS, _PLACES)
_CHANGES = re.compile(
    r"\b(?:to|how do i|how do we|how can i|how can we) (?:enable|disable|turn (?:on|off)|activate|"
    r"deactivate|switch (?:on|off)|set|rotate|reset|renew|block|encrypt|choose|configure)\b",
    re.IGNORECASE,
)


_OPEN = frozenset({Intent.SEARCH, Intent.DEFINITION, Intent.EXAMPLE, Intent.TARGET})


def asks_elsewhere(query: Query) -> bool:
    """Whether a question asks what no catalogue of weaknesses and techniques says."""
    if query.cves:
        return False
    if _EVENT_IDS.search(query.skeleton) and not query.mentions:
        return True
    kinds = list(_KINDS)
    if not any(mention.is_id for mention in query.mentions):
        kinds.append(_HANDS_OVER)
    if not query.mentions:
        kinds += [_CATALOGUES, _ADMINISTERS, _HERE]
        if not query.wanted and query.intent in _OPEN:
            kinds.append(_GOES_ON)
    if not query.mentions and not query.wanted:
        kinds.append(_COUNTS)
    # "Patching" is a mitigation's name; who asks for a product's patch means none.
    if all(mention.kind == "mitigation" for mention in query.mentions):
        kinds.append(_REPAIRS)
    # A name may have swallowed words of the question: IP addresses are a technique's too.
    texts = (query.skeleton, query.corrected)
    if _ORDERS.search(query.skeleton):
        return True
    if any(kind.search(text) for kind in kinds for text in texts):
        return True
    named = any(mention.kind in _ACTORS for mention in query.mentions)
    return named and _INDICATORS.search(query.corrected) is not None


def asks_to_set_up(text: str) -> bool:
    """Whether a question asks how to set a product up."""
    return _SETS_UP.search(text) is not None


def asks_to_change(text: str) -> bool:
    """Whether a question asks how to change a setting, which no procedure of an actor answers."""
    return _CHANGES.search(text) is not None


def asks_of_scores(text: str) -> bool:
    """Whether a question on a CVE asks what only its record says: scores, patches, dates."""
    return _SCORES.search(text) is not None
