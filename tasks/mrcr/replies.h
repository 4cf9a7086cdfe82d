// One assistant reply of a built-in conversation: a layout per format, sentences of patterns and a plot of its own (spec
// tasks 3.6).
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sala/core/rng.h"
#include "sala/tasks/task.h"

namespace sala::tasks {

// "poem", "song", "email", ... in `write a <format> about <topic>`. An index into this list names a format below.
std::span<const std::string_view> mrcr_formats();

// Names and sentences of one reply. Its plot (two invented names, place, weather, colour, tool, two nouns, adjective, two
// verbs: 11 words) recurs in it and in no other reply as a whole, so that instances of one request differ throughout. Names
// belong to `split` by split_of(). Nothing in a reply is a number, an ordinal or a date that could tell which of its kind it
// is; diary dates are drawn without order. `rng` must outlive the writer; the text is a pure function of its state.
class ReplyWriter {
 public:
  ReplyWriter(Rng& rng, Split split);
  // About `chars` characters (+-10 % above 900) in at most 20 sentences, of which 20 to 35 % name the topic when there are 6
  // or more.
  std::string write(int format, std::string_view topic, int64_t chars);
  // A sentence of the plot, without the topic.
  std::string sentence();

 private:
  using Lines = std::vector<std::string>;  // clauses of a sentence, punctuation included
  std::string expand(std::string_view pattern, std::string_view topic);
  Lines make_sentence(int clauses, std::string_view topic);
  std::vector<Lines> make_sentences(int64_t chars, std::string_view topic);
  std::string lay_out(int format, std::string_view topic, const std::vector<Lines>& sentences);
  std::string_view next_pattern(bool about_topic);
  std::string pick(std::span<const std::string_view> words) { return std::string(words[rng_.below(words.size())]); }

  Rng& rng_;
  std::array<std::string, 2> names_, nouns_, verbs_;
  std::string place_, weather_, colour_, tool_, adjective_;
  struct Deck {  // pattern indexes, shuffled as they are drawn
    std::vector<uint8_t> order;
    size_t used = 0;
  };
  std::array<Deck, 2> decks_;  // plain clauses, topic clauses
};

// Log-normal reply length around `median` characters, cut to [median/2, 5/3 median] (900 to 3000 around 1800), from a table:
// the same on every machine.
int64_t draw_reply_chars(Rng& rng, int64_t median);

}  // namespace sala::tasks
