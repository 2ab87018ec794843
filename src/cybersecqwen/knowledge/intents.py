"""What a question asks for, told by its words: one table for answers, search and options."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Intent(StrEnum):
    """What is asked of a page, or of the knowledge base."""

    ABSTRACTION = "abstraction"
    ALIAS = "alias"
    ATTRIBUTION = "attribution"
    CHAIN = "chain"
    CHILD = "child"
    CONSEQUENCE = "consequence"
    DEFINITION = "description"
    DETECTION = "detection"
    DIFFERENCE = "difference"
    EXAMPLE = "example"
    FLOW = "execution flow"
    INTRODUCTION = "introduction"
    LIKELIHOOD = "likelihood"
    MAPPING = "mapping usage"
    MEMBERS = "members"
    MEMBERSHIP = "membership"
    MITIGATED = "techniques mitigated"
    MITIGATION = "mitigation"
    PARENT = "parent"
    PLATFORM = "platform"
    PREREQUISITE = "prerequisite"
    REPLACED = "replacement"
    RESOURCE = "resource"
    SEARCH = "search"
    SEQUENCE = "sequence"
    SEVERITY = "severity"
    SKILL = "skill"
    SMALL_TALK = "small talk"
    SIBLING = "sibling"
    SUBTECHNIQUES = "sub-technique"
    TACTIC = "tactic"
    TARGET = "target"
    TECHNIQUES = "techniques of a tactic"
    USERS = "users"
    USES = "uses"
    WHICH = "which entry"


@dataclass(frozen=True, slots=True)
class Aspect:
    """A way to ask for something.

    Attributes:
        intent: What for.
        pattern: The words that ask for it.
    """

    intent: Intent
    pattern: re.Pattern[str]


def _aspect(intent: Intent, pattern: str) -> Aspect:
    # A match runs on to the end of its word: ``mitigat`` takes ``mitigated``.
    return Aspect(intent, re.compile(rf"(?:{pattern})\w*", re.IGNORECASE))


_PROTECTING = (
    r"\bmitigat|\bprevent|\bcounter-?measure|\bprotect(?!ed\b)|\bdefen[dsc](?!er)|\bremediat|\bharden|"
    r"\bstop\b|\bstopping\b|\bavoid|\bfix|\bblock|\beliminat|\bsafeguard|\bsecurity controls?\b|"
    r"\bcontrols? (?:for|against|that|reduce)|\bhow not to\b|"
    r"\bwhat (?:can|should|could) (?:(?:i|we|one) do|be done)\b|\bguard\b|\bpatch\b|\bresist|"
    r"(?:\b(?:to|i|we|you|can|should|and) |^\W*)(?:secure|limit|minimi[sz]e|contain)\b|"
    r"\brespon[ds]e?\b(?! ?ible)|\brecover|\bdeal with\b|\bhandle\b"
)
_NOTICING = (
    r"\bdetect|\bmonitor|\bspot\b|\bhunt|\btelemetry\b|\blog sources?\b|\bdata (?:sources?|"
    r"components?)|"
    r"\b(?:what|which) (?:\w+ )?(?:logs?|events?|telemetry)\b.{0,30}\b(?:need|collect|enable|look|"
    r"watch|show|see|record|gather)|"
    r"\bnotic|\bindicators?\b|\banalytics?\b|\breveal|\balert|\bhow (?:can|do|would|"
    r"could) \w+ (?:tell|know|see)\b|"
    r"\b(?:find out|tell|determine|figure out) (?:if|whether|that)\b|"
    r"\bfind\b.{1,40}\bin (?:\w+ )?code\b|\b(?:static|dynamic) analysis\b|\bfuzz(?:ing)? find|"
    r"\bsigns? of\b|"
    r"\bwhat (?:should|do|can) \w+ (?:(?:look|watch) for|log)\b|\bcatch|\bvisib|\bidentify\b|"
    r"\bevent ids?\b|\bsigma\b"
)

_GUARDING = r"\bagainst\b|\breduc(?:e|ing)\b|\brecommend|\bbest practices?\b"
"""Words that ask for protection where no other word asks for anything else."""

ASPECTS: tuple[Aspect, ...] = (
    _aspect(
        Intent.REPLACED,
        r"\breplac(?:ed|es|ement)|\bsupersed|\bsuccessor|\brevoked?\b|\bdeprecat|\bdepreciat|"
        r"\bwithdrawn\b|\bobsolete|"
        r"\bstill (?:valid|current|used|in use|active|supported)\b|\bnew (?:id|number|one)\b|"
        r"\bit now\b|\bwhat (?:has )?(?:happened to|became of) @|"
        r"\brenamed\b|\bretired\b|\bno longer\b|\brenumber",
    ),
    _aspect(
        Intent.ALIAS,
        r"\balias(?:es)?\b|\bwhat else (?:is|are) .{1,40} called\b|"
        r"\b(?:also|otherwise|better) (?:known|called)|\bother names?\b|"
        r"\bnames? (?:does|do|for)\b|\baka\b|\bsynonyms?\b|\bgo(?:es)? by\b|\balso tracked\b",
    ),
    _aspect(
        Intent.ATTRIBUTION,
        r"\battributed\b|\bwho\b.{0,12}\bbehind\b|\bbehind (?:the )?@_campaign|"
        r"\bwho (?:is|was|are|were) responsible|"
        r"\bresponsible for\b|\bwho (?:did|conducted|ran|carried out|launched)\b|\bconducted by\b",
    ),
    _aspect(
        Intent.SUBTECHNIQUES,
        r"\bsub-?\s?techniques?\b(?! of @_technique @)|"
        r"\btechniques? (?:are )?(?:below|beneath|under) @_technique",
    ),
    _aspect(
        Intent.PARENT,
        r"\b(?:class|family|pillar) (?:does|is|of)\b|\bparents?\b|\bmore general\b|\bbroader\b|"
        r"\bsuper-?class|\bancestors?\b|\bone level up\b|\bgrand-?\s?parents?\b|"
        r"\bpath (?:to|up to) the (?:root|top|pillar)\b",
    ),
    _aspect(Intent.SIBLING, r"\bsiblings?\b|\bpeers? (?:of|does|to)\b|\bneighbou?rs? of\b"),
    _aspect(
        Intent.CHILD,
        r"\bchild(?:ren|s)?\b|\bmore specific\b|\bnarrower\b|\bvariants? of\b|\bdescend[ae]nts?\b|"
        r"\bsub-?types?\b|\bkinds of\b|\bcomes? under\b|\b(?:below|beneath|under) @_weakness",
    ),
    _aspect(
        Intent.PLATFORM,
        r"\bplatforms?\b|\boperating systems?\b|\bwhich os\b|\bwhat os\b|\b(?:runs?|running|"
        r"works?|available|possible) on\b|\b(?:windows|linux|macos|android|ios)[ -]only\b|"
        r"\bonly (?:on|for|in) (?:windows|linux|macos|android|ios)\b|"
        r"\b(?:apply|applies|applicable|relevant|affects?|affected) (?:to |for |on )?(?:linux|"
        r"windows|macos|"
        r"android|ios|cloud|containers?|esxi|azure|aws|saas|iaas|network devices?|ics|c\+\+|java|"
        r"python|php)\b|"
        r"\b(?:programming )?languages?\b",
    ),
    _aspect(Intent.SEVERITY, r"\bseverity\b|\bhow (?:severe|serious|bad|dangerous)\b"),
    _aspect(Intent.LIKELIHOOD, r"\blikelihood\b|\bhow (?:likely|probable|often exploited)\b"),
    _aspect(
        Intent.ABSTRACTION,
        r"\babstraction\b|\ban? (?:class|base|variant|pillar|compound|composite|chain)"
        r"(?: or| weakness| level| cwe|\W*$)|\b(?:what|which) level\b|"
        r"\b(?:malware|tool)(?:,? or (?:just )?(?:an? )?(?:\w+ )?(?:malware|tool|software|"
        r"program))|"
        r"^\W*(?:is|was) @_software (?:really |actually |considered )?(?:an? |as )?(?:legit\w* )?"
        r"(?:malware|malicious|virus|tool|program|software)\W*$|"
        r"\b(?:pillar|class|base|variant)(?:,| or)",
    ),
    _aspect(Intent.PREREQUISITE, r"\bprerequisit|\bprecondition|\bwhat (?:is|must be) (?:needed|"
        r"in place)\b"),
    _aspect(Intent.SKILL, r"\bskill(?:s|ed)?\b|\bhow (?:hard|difficult|easy) is\b"),
    _aspect(Intent.RESOURCE, r"\bresources? (?:are |is )?(?:needed|required)|"
        r"\brequired resources?\b"),
    _aspect(
        Intent.FLOW,
        r"\bexecution flow\b|\bsteps?\b|\bstages?\b|\bstep by step\b|\bhow (?:is|"
        r"are) .{1,60} (?:carried out|executed|performed)\b",
    ),
    _aspect(Intent.INTRODUCTION, r"\bintroduc|\bwhich (?:sdlc|development) phase|"
        r"\bwhen does .{1,40} arise\b"),
    _aspect(
        Intent.SEQUENCE,
        r"\bprecedes?\b|\bcan follow\b|\bwhat follows\b|\bcomes (?:before|after)\b|\bleads? to @|"
        r"\bnext in the chain\b",
    ),
    _aspect(
        Intent.MAPPING,
        r"\bmap(?:s|ped|ping)? ?-?(?:usage|notes?|friendly|allowed|target|to\b(?! (?:att|capec|"
        r"cwe\b(?!-)|mitre)))|"
        r"\bfor (?:\w+ ){0,2}mapping\b|\bmapping\b|\ballowed\b|\bpermit|\bprohibit|\bdiscourage|"
        r"\bnot recommended\b|\bok(?:ay)?\b|\ball? ?right\b|\bin place of\b|"
        r"\bbetter (?:cwe|choice|id|fit|mapping)\b|"
        r"\bfine (?:to|for|as)\b|\b(?:good|right|valid|suitable|appropriate|acceptable|bad) "
        r"(?:choice|mapping|label|cwe|pick)\b|"
        r"\b(?:can|may|should|could|do) (?:i|we|you|one|a cna|cnas?|psirts?|an? \w+) "
        r"(?:use|assign|pick|choose|map|label|select|put)\b|\balternatives?\b|\binstead\b|"
        r"\busage\b|"
        r"\b(?:can|should|may|could) @\w+ be (?:used|assigned|mapped)",
    ),
    _aspect(Intent.MITIGATION, _PROTECTING),
    _aspect(Intent.DETECTION, _NOTICING),
    _aspect(Intent.MITIGATION, _GUARDING),
    _aspect(
        Intent.CONSEQUENCE,
        r"\bdangerous\b|\bworst\b|\bgo(?:es)? wrong\b|\bharm(?:ful)?\b|\bconsequenc|"
        r"\bimpacts?\b|\bdamage\b|\bresults? (?:in|"
        r"of|from)\b|\blead(?:s)? to\b|"
        r"\b(?:can|could|might|will|would) happen\b|\bhappens (?:if|when)\b|\beffects?\b|"
        r"\brisks?\b|"
        r"\bwhat (?:can|could) (?:an? )?(?:attackers?|adversar\w+|hackers?|someone) (?:do|gain|"
        r"achieve)\b|\bimplications?\b",
    ),
    _aspect(
        Intent.EXAMPLE,
        r"\bexamples?\b|\binstances?\b|\bin the wild\b|\breal[- ]world\b|\bcves? (?:for|of|with|"
        r"that|like)\b|"
        r"\bsample code\b|\bcode samples?\b|\bprocedures?\b|\bdemonstrat|\bknown cves?\b|"
        r"\billustrat",
    ),
    _aspect(Intent.TARGET, r"\btargets?\b(?! ?ed by)|\bsectors?\b|\bindustr|\bvictims?\b|"
        r"\bassets?\b"),
)  # fmt: skip

DIFFERS = re.compile(
    r"\bdiffer\w*|\bversus\b|\bvs\b\.?|\bcompar\w*|\bcontrast\w*|\bdistinguish\w*|\bin common\b|"
    r"\bthe same\b|\brelat\w+|\bwhen (?:do|should|to) .{0,20}(?:which|use)\b|\bor @|\bsimilar\w*|"
    r"\bconnect\w*|\ban? (?:\w+ )?(?:kind|type|form|variant|sub-?type|special case) of @|"
    r"\bchild of\b|\bparent of\b|\bsub-?\s?technique of @|"
    r"\blink(?:ed|s)? (?:to|with|between)\b|@\w+ / @|@\w+ (?:(?:can|could|may) )?leads? to @|"
    r"\b(?:part of|under|belongs? to) @_(?:technique|weakness|pattern)",
    re.IGNORECASE,
)
USE = re.compile(
    r"\buse[sdr]?\b|\busing\b|\busees\b|\bleverag\w*|\bemploy\w*|\babus\w*|\bdeploy\w*|\brely on\b|"
    r"\bimplement\w*|\bperform\w*|\bdo(?:es|ing)?\b|\bttps?\b|\barsenal\b|\btoolset\b|\btarget\w*|"
    r"\bexploit\w*|\bgets?\b|\bgain\w*|\bachiev\w*|\bmaintain\w*|\bof\b|\bin\b|\bby\b|\bwith\b",
    re.IGNORECASE,
)
WHO = re.compile(r"\bwho(?:m)?\b", re.IGNORECASE)
MEMBERS = re.compile(
    r"\bmembers?\b|\bcontains?\b|\bcontained\b|\bbelongs? (?:to|in)\b|\bpart of\b|\bin\b|\bunder\b|"
    r"\blist\b|\bname\b|\benumerate\b|\bincludes?d?\b|\bwhich\b|\bcategories\b|\bhow many\b|"
    r"\bwhat'?s\b",
    re.IGNORECASE,
)
TACTIC = re.compile(r"\btactics?\b|\bphase\b|\bkill chain\b|\bobjective\b", re.IGNORECASE)
NAMES_ENTRY = re.compile(
    r"\b(?:which|what|wich)\b.{0,30}\b(?:is|are|covers?|describes?|captures?|fits?|called|for)\b|"
    r"\b(?:id|number|code|no)\b|\bfor\b|\?\s*$|:",
    re.IGNORECASE,
)
_TECHNIQUE = r"(?:mitre )?(?:att&ck |attack )?(?:sub-?)?technique"
TECHNIQUE_TOLD = re.compile(
    rf"[\s,;.:]+(?:so |and )?(?:which|what) {_TECHNIQUE}"
    r"(?: is (?:it|this|that)| would (?:it|that|this) be)?\W*$|"
    rf"[,;.:]\s*{_TECHNIQUE}\W*$|"
    rf"^\W*(?:which|what) {_TECHNIQUE}(?: (?:is|was) (?:it|this|used))?"
    r"(?: (?:if|when|where)\b|\s*:)",
    re.IGNORECASE,
)
"""The part that asks, of a question that tells what was done and asks which technique it is."""
SMALL_TALK = re.compile(
    r"^\W*(?:hi|hello|hey|hallo|good (?:morning|evening|afternoon|day|night)|thanks?|thank you|"
    r"ok(?:ay)?|(?:yes|no)(?=\W*$)|no thanks|nope|sure|bye|cheers|yo|sup|test|how are you|"
    r"who are you|what can you do)\b|"
    # Orders to whoever answers are no questions, and are not followed.
    r"\b(?:ignore|disregard|forget|override) (?:(?:all|any|the|your|my|previous|prior|above|"
    r"earlier) )+(?:instructions?|prompts?|rules|orders)\b",
    re.IGNORECASE,
)
NEGATED = re.compile(
    r"\b(?:not|except|excluding|without|other than|neither|never|cannot|least likely|n't)\b|n't\b",
    re.IGNORECASE,
)

# Kinds of entries that a question wants, by its words.
_WANTED = (
    ("group", r"groups?|apts?|actors?|intrusion sets?|gangs?|adversar(?:y|ies)|crews?|who(?:m)?"),
    ("software", r"malwares?|softwares?|tools?|trojans?|rats?|implants?|ransomware famil\w+|"
        r"arsenal"),
    ("campaign", r"campaigns?|operations?"),
    ("technique", r"techniques?|ttps?|att&?ck|attack (?:id|number|code)|t[- ]?(?:code|number|"
        r"id)s?|sub-?techniques?|mitre id"),
    ("weakness", r"cwes?|weakness(?:es)?|cwe-ids?"),
    ("attack pattern", r"capecs?|attack patterns?"),
    ("mitigation", r"mitigations?|countermeasures?"),
    ("tactic", r"tactics?|phases?"),
    ("category", r"categor(?:y|ies)"),
    ("view", r"views?"),
)  # fmt: skip
_WANTED_PATTERNS = tuple(
    (kind, re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)) for kind, pattern in _WANTED
)


def wanted_kinds(skeleton: str) -> tuple[str, ...]:
    """Return the kinds of entries that a question speaks of, in the order of its words."""
    found = [
        (match.start(), kind)
        for kind, pattern in _WANTED_PATTERNS
        if (match := pattern.search(skeleton))
    ]
    return tuple(kind for _, kind in sorted(found))


def without_kinds(skeleton: str) -> str:
    """Return a question without the words that say what kind of entry it wants."""
    for _, pattern in _WANTED_PATTERNS:
        skeleton = pattern.sub(" ", skeleton)
    return skeleton


# Kinds of passages that answer an intent.
PASSAGE_KINDS: dict[Intent, tuple[str, ...]] = {
    Intent.MITIGATION: ("mitigation",),
    Intent.DETECTION: ("detection",),
    Intent.CONSEQUENCE: ("consequence",),
    Intent.EXAMPLE: ("example", "procedure"),
    Intent.PREREQUISITE: ("prerequisite",),
    Intent.SKILL: ("skill",),
    Intent.RESOURCE: ("resource",),
    Intent.FLOW: ("flow",),
    Intent.INTRODUCTION: ("introduction",),
    Intent.ALIAS: ("alias", "term"),
    Intent.MAPPING: ("mapping",),
    Intent.DEFINITION: ("description", "term"),
}

# Words that make passages of a kind likelier to answer, whatever exactly is asked.
_KIND_WORDS = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            "mitigation",
            r"mitigat|prevent|countermeasure|remediat|address|recommend|defen[cs]e|protect|harden",
        ),
        ("detection", r"detect|monitor|data source|data component|identif|observ|spot|alert"),
        ("procedure", r"group|actor|malware|software|campaign|adversar|threat"),
        ("consequence", r"consequence|impact|result"),
        ("example", r"example"),
    )
)


def passage_kinds(question: str) -> list[str]:
    """Return the kinds of passages that a question's words make likelier to answer it."""
    return [kind for kind, pattern in _KIND_WORDS if pattern.search(question)]


# Multiple choice: aspects are inputs of the ranker there, and several may be asked at once.

_OF_THESE = r"of (?:these|those|them|the (?:following|above|listed))(?: \w+){0,2}?"
_FALSE = r"(?:false|incorrect|wrong|untrue|inaccurate)"
ASKS_EXCEPTION = re.compile(
    r"\b(?:NOT|EXCEPT|LEAST)\b|\bis(?: not|n't) (?:a|an|one)\b|"
    r"(?i:\bexcept(?: for)?\W*$|\bexcept one\b|"
    rf"\bwhich(?: one)? {_OF_THESE} (?:(?:is|are|was|were|does|do|did|can|could|would|should|has|"
    r"have)(?: not|n't)|cannot|can't|won't)\b|"
    r"\bwhich(?: [\w-]+){1,3} (?:does|do|is|are|can|did) (?:[\w.()/-]+ ){1,4}not "
    r"(?:belong|appl|includ|affect|us|target|mitigat|support|run|list|cover|relat|have|contain|"
    r"involv|requir|help|count|detect|protect|fall)\w*(?: \w+)?\W*$|"
    rf"\b(?:{_OF_THESE}(?: [\w.-]+){{0,5}}|statements?|answers?|options?) (?:is|are) {_FALSE}\b|"
    rf"\bwhich {_FALSE} \w+\b)"
)

# What a question asks for, by its words; and the kinds of passage and the headings of relations
# that answer it.
ASPECT_WORDS = {
    "mitigation": (
        r"mitigat|prevent|counter|recommend|measure|defen[cs]e|harden|protect",
        "mitigation",
    ),
    "detection": (
        r"detect|monitor|data (?:component|source)|log source|reveal|notice",
        "detection",
    ),
    "procedure": (
        r"\bgroup|malware|software|\btool|actor|campaign|behaviou?r|\bused by",
        "procedure",
    ),
    "consequence": (r"consequence|impact|effect|result|lead to|scope", "consequence"),
    "prerequisite": (
        r"prerequisite|precondition|require|must hold|necessary|condition",
        "prerequisite",
    ),
    "facts": (r"platform|severity|likelihood|phase|introduc|abstraction|skill", "facts"),
    "alias": (r"also known|alias|another name|tracked", "alias"),
    "relation": (
        r"tactic|parent|child|sub-technique|related|categor|belong|precede|follow",
        "relation",
    ),
}
ASKED_ASPECTS = {
    name: re.compile(pattern, re.IGNORECASE) for name, (pattern, _) in ASPECT_WORDS.items()
}
RELATION_HEADINGS = (
    (
        re.compile(r"mitigat|prevent|counter|measure|recommend", re.IGNORECASE),
        ("Mitigated by", "Mitigates"),
    ),
    (re.compile(r"tactic|goal|objective", re.IGNORECASE), ("Tactics", "Techniques")),
    (
        re.compile(r"\bgroup|software|malware|\btool|\buse|employ|campaign", re.IGNORECASE),
        ("Used by", "Uses"),
    ),
    (re.compile(r"sub-technique", re.IGNORECASE), ("Sub-techniques", "Sub-technique of")),
    (re.compile(r"parent|general", re.IGNORECASE), ("Child of", "Sub-technique of")),
    (re.compile(r"child|specific|variant", re.IGNORECASE), ("Parent of", "Sub-techniques")),
    (re.compile(r"follow|lead|precede|next", re.IGNORECASE), ("Can precede", "Can follow")),
    (re.compile(r"weakness|CWE", re.IGNORECASE), ("Weaknesses", "Members")),
    (re.compile(r"pattern|CAPEC|exploit", re.IGNORECASE), ("Attack patterns",)),
    (re.compile(r"attribut|responsib", re.IGNORECASE), ("Attributed to", "Campaigns")),
    (re.compile(r"asset|target", re.IGNORECASE), ("Targets", "Targeted by")),
)
