#include "tasks/mrcr/replies.h"

#include <fmt/format.h>

#include <algorithm>

#include "tasks/mrcr/lexicon.h"
#include "tasks/text/values.h"

namespace sala::tasks {
namespace {

constexpr auto kFormats =
    std::to_array<std::string_view>({"poem", "song", "email", "social media post", "diary entry", "short news article",
                                     "short essay", "riddle", "blog post", "recipe note", "dialogue scene"});
enum Format { kPoem, kSong, kEmail, kSocial, kDiary, kNews, kEssay, kRiddle, kBlog, kRecipe, kDialogue };

constexpr int64_t kMaxSentences = 20;
constexpr auto kDays =
    std::to_array<std::string_view>({"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"});
constexpr auto kMonths = std::to_array<std::string_view>({"January", "February", "March", "April", "May", "June", "July",
                                                          "August", "September", "October", "November", "December"});

std::string capital(std::string_view text) {
  std::string out(text);
  if (!out.empty() && out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 'a' + 'A');
  return out;
}

bool vowel(char c) { return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u'; }

// "a" before a vowel becomes "an".
void append_word(std::string& text, std::string_view word) {
  const bool article = text == "a " || text.ends_with(" a ");
  if (article && vowel(word[0])) text.back() = 'n', text.push_back(' ');
  text += word;
}

std::string join(const std::vector<std::string>& lines, std::string_view separator) {
  std::string text;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) text += separator;
    text += lines[i];
  }
  return text;
}

}  // namespace

std::span<const std::string_view> mrcr_formats() { return kFormats; }

ReplyWriter::ReplyWriter(Rng& rng, Split split) : rng_(rng) {
  for (std::string& name : names_) {
    do {
      name = pick(mrcr_onsets()) + pick(mrcr_endings());
    } while (split_of(name) != split || (&name == &names_[1] && name == names_[0]));
  }
  for (std::string& noun : nouns_) noun = pick(mrcr_nouns());
  for (std::string& verb : verbs_) verb = pick(mrcr_verbs());
  place_ = pick(mrcr_places());
  weather_ = pick(mrcr_weathers());
  colour_ = pick(mrcr_colours());
  tool_ = pick(mrcr_tools());
  adjective_ = pick(mrcr_adjectives());
}

std::string ReplyWriter::expand(std::string_view pattern, std::string_view topic) {
  std::string text;
  text.reserve(96);
  const bool swap_names = rng_.below(2) != 0;
  for (char c : pattern) {
    switch (c) {
      case 'T':
        text += topic;
        break;
      case 'N':
        text += names_[swap_names ? 1 : 0];
        break;
      case 'M':
        text += names_[swap_names ? 0 : 1];
        break;
      case 'P':
        text += place_;
        break;
      case 'W':
        append_word(text, weather_);
        break;
      case 'C':
        append_word(text, colour_);
        break;
      case 'O':
        append_word(text, tool_);
        break;
      case 'D':
        append_word(text, nouns_[rng_.below(2)]);
        break;
      case 'J':
        append_word(text, adjective_);
        break;
      case 'V':
        text += verbs_[rng_.below(2)];
        break;
      case 'X':
        append_word(text, pick(mrcr_nouns()));
        break;
      case 'Y':
        append_word(text, pick(mrcr_adjectives()));
        break;
      case 'Z':
        text += pick(mrcr_verbs());
        break;
      default:
        text.push_back(c);
    }
  }
  return text;
}

// No pattern twice in a reply before all have been used.
std::string_view ReplyWriter::next_pattern(bool about_topic) {
  const auto patterns = about_topic ? mrcr_topic_clauses() : mrcr_plain_clauses();
  Deck& deck = decks_[about_topic ? 1 : 0];
  if (deck.order.empty()) {
    for (size_t i = 0; i < patterns.size(); ++i) deck.order.push_back(static_cast<uint8_t>(i));
  }
  if (deck.used == deck.order.size()) deck.used = 0;
  std::swap(deck.order[deck.used], deck.order[deck.used + rng_.below(deck.order.size() - deck.used)]);
  return patterns[deck.order[deck.used++]];
}

ReplyWriter::Lines ReplyWriter::make_sentence(int clauses, std::string_view topic) {
  Lines lines;
  for (int c = 0; c < clauses; ++c) {
    std::string clause = expand(next_pattern(c == 0 && !topic.empty()), topic);
    if (c == 0) {
      lines.push_back(capital(clause));
      continue;
    }
    std::string_view link = mrcr_links()[rng_.below(mrcr_links().size())];
    if (link[0] == ',') lines.back() += ",";
    link.remove_prefix(link[0] == ',' ? 2 : 1);
    lines.push_back(std::string(link) + clause);
  }
  lines.back() += ".";
  return lines;
}

std::string ReplyWriter::sentence() { return join(make_sentence(1 + static_cast<int>(rng_.below(2)), ""), " "); }

std::vector<ReplyWriter::Lines> ReplyWriter::make_sentences(int64_t chars, std::string_view topic) {
  const int64_t fewest = std::max<int64_t>(chars >= 700 ? 6 : 2, (chars + 149) / 150);
  const int64_t most = std::max(fewest, std::min(kMaxSentences, chars / 80));
  const int64_t count =
      std::min(kMaxSentences, rng_.between(std::min(fewest, kMaxSentences), std::min(most, kMaxSentences)));
  // 20 to 35 % of the sentences name the topic; below six sentences one does.
  const int64_t about = count < 6 ? 1 : rng_.between((count + 4) / 5, count * 7 / 20);
  std::vector<uint8_t> names_topic(static_cast<size_t>(count), 0);
  std::fill_n(names_topic.begin(), about, uint8_t{1});
  rng_.shuffle(names_topic);
  std::vector<Lines> sentences;
  int64_t left = chars;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t share = left / (count - i);
    sentences.push_back(make_sentence(share < 65    ? 1
                                      : share < 108 ? 2
                                      : share < 150 ? 3
                                                    : 4,
                                      names_topic[static_cast<size_t>(i)] ? topic : ""));
    for (const std::string& line : sentences.back()) left -= static_cast<int64_t>(line.size()) + 1;
  }
  return sentences;
}

std::string ReplyWriter::lay_out(int format, std::string_view topic, const std::vector<Lines>& sentences) {
  const std::string title_topic = capital(topic);
  std::string head, tail, separator = " ";
  size_t group = 3 + rng_.below(3);
  std::vector<std::string> units;
  for (const Lines& lines : sentences)
    units.push_back(join(lines, format == kPoem || format == kSong || format == kRiddle ? "\n" : " "));
  std::vector<std::string> heads;  // before each group, in turn
  switch (format) {
    case kPoem:
      separator = "\n", group = 2;
      break;
    case kSong:
      separator = "\n", group = 2, heads = {"[Verse]\n", "[Chorus]\n"};
      break;
    case kEmail:
      head = fmt::format("Subject: {} and the {}\n\nDear {},\n\n", title_topic, nouns_[0], names_[0]);
      tail = fmt::format("\n\nKind regards,\n{}", names_[1]);
      break;
    case kSocial:
      separator = "\n";
      tail = fmt::format("\n\n#{} #{} #{} #{}", topic, nouns_[0], colour_, names_[0]);
      break;
    case kDiary:
      head = fmt::format("{}, {} {}, {}\n\nDear diary,\n\n", pick(kDays), 1 + rng_.below(28), pick(kMonths), weather_);
      break;
    case kNews:
      head = fmt::format("{} and {} {} {} in {}\n\n{} - ", title_topic, vowel(adjective_[0]) ? "an" : "a", adjective_,
                         nouns_[0], place_, capital(place_));
      group = 2 + rng_.below(2);
      break;
    case kEssay:
      head = fmt::format("On {} and the {}\n\n", topic, nouns_[0]);
      break;
    case kRiddle:
      separator = "\n", tail = fmt::format("\n\nWhat are we?\n\nAnswer: {}", topic), group = 2;
      break;
    case kBlog:
      head = fmt::format("# The {} {}\n\n", adjective_, nouns_[0]);
      for (const std::string* heading : {&place_, &weather_, &names_[0], &tool_})
        heads.push_back(fmt::format("## {}\n", capital(*heading)));
      break;
    case kRecipe:
      head = fmt::format("You need:\n- the {} {}\n- the {} {}\n- some {}\n\nNotes:\n- ", colour_, tool_, adjective_,
                         nouns_[0], topic);
      group = units.size(), separator = "\n- ";
      break;
    case kDialogue:
      head = fmt::format("{}. {}.\n\n", capital(place_), capital(weather_));
      for (size_t i = 0; i < units.size(); ++i) units[i] = fmt::format("{}: {}", names_[i % 2], units[i]);
      separator = "\n", group = units.size();
      break;
    default:
      break;
  }
  std::string text = head;
  for (size_t i = 0; i < units.size(); ++i) {
    if (i > 0) text += i % group == 0 ? "\n\n" : separator;
    if (i % group == 0 && !heads.empty()) text += heads[i / group % heads.size()];
    text += units[i];
  }
  return text + tail;
}

std::string ReplyWriter::write(int format, std::string_view topic, int64_t chars) {
  static constexpr auto kLayoutChars =
      std::to_array<int64_t>({0, 60, 70, 45, 55, 80, 30, 45, 80, 80, 200});  // what a layout adds, about
  const int64_t layout = std::min(kLayoutChars[static_cast<size_t>(format)], chars / 3);
  return lay_out(format, topic, make_sentences(chars - layout, topic));
}

int64_t draw_reply_chars(Rng& rng, int64_t median) {
  // Quantiles 0/16 to 16/16 of exp(N(0, 0.3^2)) cut to [0.5, 5/3], times 10,000.
  static constexpr auto kQuantiles = std::to_array<int64_t>(
      {5000, 6416, 7118, 7665, 8143, 8587, 9016, 9441, 9873, 10323, 10800, 11320, 11904, 12587, 13435, 14605, 16667});
  const auto slot = static_cast<size_t>(rng.below(16));
  const auto within = static_cast<int64_t>(rng.below(1000));
  const int64_t quantile = kQuantiles[slot] + (kQuantiles[slot + 1] - kQuantiles[slot]) * within / 1000;
  return median * quantile / 10000;
}

}  // namespace sala::tasks
