#include "tasks/nolima/narrative_lexicon.h"

#include <array>

namespace sala::tasks {
namespace {

constexpr auto kPatterns = std::to_array<std::string_view>({
    "A U the N and said nothing of the N",
    "T A W, and the E seemed J again",
    "there was a J N K, and A U it D",
    "H had V the J N only once, and R M had not outlived it",
    "nobody K V the N as A did",
    "the E was J, the E was J, and B had nothing to add",
    "T the J N moved A more than H cared to admit",
    "A W and found the E J and the N gone",
    "it was not M but M that held the two of them K",
    "B brought a J N to A, who U it D",
    "what A V T was neither the N nor the E",
    "the J N K had not been touched since the E",
    "A and B U the N together, each with a M of their own",
    "H thought of the N, of the J E, and of all that B had V",
    "somewhere behind the E a J E stirred and was still",
    "T B W with a J N under one arm",
    "a M came over A that no N could have explained",
    "the G lay K as if someone had left it in haste",
    "A had always V the G, and now H U it D",
    "between the G and the N there was room for a J silence",
    "B U the G T and would not speak of it",
    "if A knew any M, the J E did not betray it",
    "R shoulders were J, and R glance had the look of M",
    "the wind reached the E until even B W",
    "A waited K until the E grew J",
    "long after B had gone, the E still troubled O",
    "with sudden M A U the N, then the N, then the G",
    "the letter spoke of a J E and of M, and A read it D",
    "T there was M K, and the E stood J in the dark",
    "H could not have said why the J E haunted O so",
    "A turned from the E and U the J G",
    "the whole E had grown J with M",
    "B never asked what A had V K",
    "it seemed to A that the E had woken R M on purpose",
    "rain darkened the E, and the J E was lost to sight",
    "A W, B W, and neither V the E",
    "for a moment the E and the E were one J shape",
    "H V the E as one V a lost M",
    "the clock struck, the E fell silent, and A W",
    "some J M had settled K, and the G was part of it",
    "A would have given the N, the N and R own M for a J word",
    "B looked at the J G and then D at A",
    "T the N that A had U was found K",
    "under the N there was another N, J and forgotten",
    "R hand rested on the N, but R thoughts were with the G",
    "a J light fell K and touched the N",
    "A knew the E by R M alone",
    "it was D that B U what was left of the N",
    "the J N, the G, the N: A counted them again T",
    "nothing K was as J as the M between them",
    "B had once V a J E, and the M of it remained",
    "the E rose J beyond the E, and A W",
});

constexpr auto kQuotes = std::to_array<std::string_view>({
    "it is only the J E",
    "you U the N, then",
    "there is M in it, whatever they say",
    "have you seen the J G?",
    "I never U your N",
    "do you suppose the E is J?",
    "leave the N where it is",
    "we shall speak of the G T",
    "what does a N know of M?",
    "the G was always J",
    "you have your M and I have mine",
    "who U the N K?",
    "I would rather have the J N than your M",
    "the E will not be J for ever",
    "that is a J sort of M",
    "nobody told me of any N",
    "it was J even then",
    "why should the N be hidden?",
    "I V it because of the M",
    "I have V the E and I have V the E, and neither was J",
    "take the G and go",
    "one does not simply find a N K",
    "it is a J E, and I V it",
});

constexpr auto kTags = std::to_array<std::string_view>({
    "said A",
    "said B",
    "said A D",
    "said B D",
    "A answered",
    "B answered",
    "A whispered",
    "B murmured",
    "H said D",
    "H replied",
    "said B, without looking up",
    "said A, and U the N",
    "A began D",
    "B went on",
    "said the other",
});

constexpr auto kPeople = std::to_array<NarrativePerson>({
    {"the widow", "she", "her", "her"},        {"the stranger", "he", "his", "him"},
    {"the greybeard", "he", "his", "him"},     {"the maid", "she", "her", "her"},
    {"the boy", "he", "his", "him"},           {"her aunt", "she", "her", "her"},
    {"his uncle", "he", "his", "him"},         {"the lodger", "he", "his", "him"},
    {"the governess", "she", "her", "her"},    {"the landlady", "she", "her", "her"},
    {"the clerk", "he", "his", "him"},         {"the servant", "she", "her", "her"},
    {"the nephew", "he", "his", "him"},        {"the niece", "she", "her", "her"},
    {"the captain", "he", "his", "him"},       {"the heiress", "she", "her", "her"},
    {"the visitor", "he", "his", "him"},       {"the nurse", "she", "her", "her"},
    {"the grandmother", "she", "her", "her"},  {"the brother", "he", "his", "him"},
    {"the elder sister", "she", "her", "her"}, {"the gentleman", "he", "his", "him"},
    {"the orphan", "she", "her", "her"},       {"the magistrate", "he", "his", "him"},
    {"the coachman", "he", "his", "him"},      {"the neighbour", "she", "her", "her"},
    {"the prisoner", "he", "his", "him"},      {"the poet", "he", "his", "him"},
    {"the actress", "she", "her", "her"},      {"the bride", "she", "her", "her"},
    {"the soldier", "he", "his", "him"},       {"the traveller", "she", "her", "her"},
    {"the hermit", "he", "his", "him"},        {"the countess", "she", "her", "her"},
    {"the beggar", "he", "his", "him"},        {"the tutor", "he", "his", "him"},
});

constexpr auto kPlaces = std::to_array<std::string_view>({
    "in the long passage",
    "behind the curtain",
    "at the end of the lane",
    "on the stairs",
    "beside the hearth",
    "in the attic",
    "under the chestnut",
    "at the stile",
    "in the empty room",
    "by the window",
    "on the landing",
    "in the orchard",
    "among the graves",
    "near the well",
    "in the back parlour",
    "beyond the hedge",
    "at the foot of the hill",
    "in the doorway",
    "on the moor",
    "beneath the eaves",
    "in the shuttered rooms",
    "along the ditch",
    "at the edge of the copse",
    "in the ruined chapel",

    "on the terrace",
    "in the upper corridor",
    "by the fallen oak",
    "at the crossroads",

    "behind the locked door",
    "in the valley",
    "near the railing",
    "on the narrow path",
    "in the meadow",
    "at the bend of the road",
    "in the servants' parlour",

    "under the lamp",
});

constexpr auto kNouns = std::to_array<std::string_view>({
    "curtain",   "lamp",       "letter",    "envelope", "signature",    "branch",     "root",       "leaf",
    "thorn",     "sleeve",     "collar",    "cloak",    "shawl",        "bonnet",     "ribbon",     "veil",
    "cradle",    "locket",     "keyhole",   "drawer",   "cupboard",     "shelf",      "carpet",     "candle",
    "ember",     "lantern",    "signpost",  "statue",   "bench",        "rope",       "oath",       "rumour",
    "secret",    "riddle",     "answer",    "question", "quarrel",      "bargain",    "debt",       "inheritance",
    "testament", "sermon",     "hymn",      "prayer",   "dream",        "nightmare",  "photograph", "diary",
    "page",      "sentence",   "wound",     "scar",     "bandage",      "crutch",     "blanket",    "pillow",
    "mattress",  "cobweb",     "stain",     "pane",     "hinge",        "bolt",       "latch",      "purse",
    "coin",      "parcel",     "trunk",     "luggage",  "timetable",    "clock",      "chair",      "stool",
    "basket",    "banner",     "poster",    "umbrella", "handkerchief", "glove",      "button",     "necklace",
    "bracelet",  "comb",       "footstool", "wardrobe", "doorknob",     "telegram",   "newspaper",  "pamphlet",
    "ledger",    "confession", "apology",   "excuse",   "promise",      "invitation", "reply",      "warning",
    "complaint", "plan",       "proposal",  "verdict",  "reward",       "punishment",
});

constexpr auto kScenery = std::to_array<std::string_view>({
    "door",      "staircase", "shadow",    "window",     "shutter", "threshold", "passage",  "cellar",  "attic",
    "hedge",     "lane",      "meadow",    "orchard",    "storm",   "frost",     "fog",      "moon",    "dusk",
    "dawn",      "echo",      "voice",     "whisper",    "hearth",  "smoke",     "carriage", "road",    "ditch",
    "milestone", "village",   "cottage",   "manor",      "ruin",    "well",      "path",     "hill",    "valley",
    "moor",      "forest",    "hollow",    "cliff",      "shore",   "tide",      "harbour",  "silence", "pause",
    "knock",     "scream",    "murmur",    "fever",      "dog",     "raven",     "owl",      "moth",    "dust",
    "ceiling",   "train",     "crowd",     "procession", "funeral", "wedding",   "festival", "harvest", "churchyard",
    "courtyard", "parlour",   "roof",      "chimney",    "balcony", "corridor",  "thicket",  "marsh",   "stream",
    "horizon",   "sky",       "afternoon", "evening",
});

constexpr auto kAdjectives = std::to_array<std::string_view>({
    "dim",       "bleak",      "quiet",     "silent",    "weary",     "restless", "sullen",    "gloomy",    "cheerful",
    "cautious",  "eager",      "faithful",  "forgotten", "familiar",  "peculiar", "curious",   "solemn",    "stubborn",
    "tender",    "bitter",     "gentle",    "proud",     "humble",    "shabby",   "elegant",   "faded",     "tattered",
    "crooked",   "hollow",     "narrow",    "vast",      "endless",   "sudden",   "gradual",   "uncertain", "unspoken",
    "unwelcome", "unfinished", "untidy",    "invisible", "distant",   "nearby",   "ancient",   "recent",    "youthful",
    "elderly",   "feeble",     "ghostly",   "dreamlike", "ordinary",  "strange",  "sinister",  "innocent",  "guilty",
    "ashamed",   "grateful",   "resentful", "patient",   "impatient", "drowsy",   "wakeful",   "careless",  "thoughtful",
    "absent",    "lonely",     "crowded",   "deserted",  "abandoned", "haunted",  "sheltered", "windswept", "moonlit",
    "overgrown", "barren",     "mossy",     "damp",      "dusty",     "frozen",   "feverish",  "tranquil",  "turbulent",
    "hopeless",  "hopeful",    "fearful",   "fearless",  "wretched",  "splendid", "dreary",    "secretive", "talkative",
    "obedient",  "defiant",    "reluctant", "willing",
});

constexpr auto kVerbs = std::to_array<std::string_view>({
    "noticed",    "ignored",     "remembered", "forgotten",  "recognised",  "avoided",     "feared",      "pitied",
    "envied",     "admired",     "despised",   "welcomed",   "questioned",  "accepted",    "discovered",  "described",
    "imagined",   "expected",    "dreaded",    "desired",    "regretted",   "mourned",     "blessed",     "cursed",
    "mocked",     "praised",     "doubted",    "suspected",  "understood",  "mistaken",    "overheard",   "abandoned",
    "loved",      "missed",      "trusted",    "studied",    "longed for",  "spoken of",   "wondered at", "waited for",
    "dreamed of", "asked about", "lied about", "looked for", "listened to", "put up with",
});

constexpr auto kHandlings = std::to_array<std::string_view>({
    "lifted",     "dropped",   "pushed",      "dragged",      "carried",   "delivered",   "returned",
    "borrowed",   "inherited", "preserved",   "neglected",    "mislaid",   "recovered",   "inspected",
    "concealed",  "revealed",  "burned",      "buried",       "folded",    "unfolded",    "sealed",
    "hid",        "offered",   "refused",     "kept",         "held",      "examined",    "pocketed",
    "gathered",   "covered",   "uncovered",   "mended",       "tore",      "clutched",    "caressed",
    "pointed at", "stared at", "reached for", "tripped over", "bent over", "shrank from", "passed by",
});

constexpr auto kMotions = std::to_array<std::string_view>({
    "came down the stairs",
    "went out into the rain",
    "stood very still",
    "turned away",
    "sat down without a word",
    "wandered through the rooms",
    "hurried along the lane",
    "paused at the threshold",
    "leaned against the banister",
    "fell asleep in the chair",
    "rose before dawn",
    "disappeared into the fog",
    "returned alone",
    "lingered by the stile",
    "knelt beside the grave",
    "went up to the attic",
    "listened at the door",
    "trembled all over",
    "laughed aloud",
    "wept in secret",
    "waited in the dark",
    "walked on",
    "stepped back",
    "looked up at the moon",
    "ran toward the village",
    "crept along the passage",
    "kept to the shadows",
    "left for the village",
    "drew nearer",
    "fled across the moor",
});

constexpr auto kAdverbs = std::to_array<std::string_view>({
    "slowly",    "softly",  "gravely",     "gladly",       "sadly",    "calmly",   "bitterly",  "tenderly",     "coldly",
    "warily",    "idly",    "wearily",     "abruptly",     "politely", "silently", "eagerly",   "sternly",      "absently",
    "carefully", "hastily", "patiently",   "shyly",        "solemnly", "faintly",  "firmly",    "vaguely",      "secretly",
    "openly",    "kindly",  "reluctantly", "thoughtfully", "at last",  "in vain",  "once more", "with a shrug",
});

constexpr auto kAbstracts = std::to_array<std::string_view>({
    "patience",   "sorrow",   "grief",      "pride",     "shame",     "guilt",     "hope",      "despair",
    "envy",       "pity",     "mercy",      "courage",   "fear",      "dread",     "wonder",    "longing",
    "regret",     "malice",   "kindness",   "cruelty",   "innocence", "devotion",  "jealousy",  "gratitude",
    "loneliness", "boredom",  "curiosity",  "suspicion", "doubt",     "faith",     "honour",    "duty",
    "weakness",   "vanity",   "tenderness", "anger",     "relief",    "remorse",   "obedience", "defiance",
    "melancholy", "solitude", "folly",      "prudence",  "madness",   "affection", "contempt",  "resignation",
});

constexpr auto kTimes = std::to_array<std::string_view>({
    "that evening",          "toward midnight",         "before dawn",          "at dusk",
    "in the afternoon",      "after the storm",         "during the sermon",

    "all that week",         "long afterwards",         "some days later",      "the next morning",
    "in the small hours",    "at the usual hour",       "since the funeral",    "on the eve of the wedding",
    "when the clock struck", "as the moon rose",        "while everyone slept", "in the meantime",

    "by candlelight",        "at the first frost",      "one grey morning",     "before the others came",
    "when nobody was near",  "at the turn of the year", "after so many years",
});

}  // namespace

std::span<const std::string_view> narrative_patterns() { return kPatterns; }
std::span<const std::string_view> narrative_quotes() { return kQuotes; }
std::span<const std::string_view> narrative_tags() { return kTags; }
std::span<const NarrativePerson> narrative_people() { return kPeople; }
std::span<const std::string_view> narrative_places() { return kPlaces; }
std::span<const std::string_view> narrative_nouns() { return kNouns; }
std::span<const std::string_view> narrative_scenery() { return kScenery; }
std::span<const std::string_view> narrative_adjectives() { return kAdjectives; }
std::span<const std::string_view> narrative_verbs() { return kVerbs; }
std::span<const std::string_view> narrative_handlings() { return kHandlings; }
std::span<const std::string_view> narrative_motions() { return kMotions; }
std::span<const std::string_view> narrative_adverbs() { return kAdverbs; }
std::span<const std::string_view> narrative_abstracts() { return kAbstracts; }
std::span<const std::string_view> narrative_times() { return kTimes; }

}  // namespace sala::tasks
