#include "eval/report/table.h"

#include <gtest/gtest.h>

#include <limits>

namespace sala::eval {
namespace {

Table example() {
  return {"",
          {"task", "tokens", "score", "interval", "whole"},
          {{text("vt, \"hard\""), tokens(131072), number(99.95, 1, " (best)"), range({1.25, 2}), yes(true)},
           {text("cwe"), tokens(0), number(std::numeric_limits<double>::quiet_NaN(), 1), Value{}, yes(false)}}};
}

TEST(Table, PeopleSeeRoundedValues) {
  EXPECT_EQ(plain_view(example()),
            "task         tokens         score   interval  whole\n"
            "vt, \"hard\"  131,072  100.0 (best)  1.2 - 2.0    yes\n"
            "cwe               -             -          -     no\n");
  EXPECT_EQ(markdown_view(example()).substr(0, 50), "| task | tokens | score | interval | whole |\n| ---");
}

TEST(Table, PapersSeeRulesAndNumbersAlignedRight) {
  EXPECT_EQ(latex_view(example()),
            "\\begin{tabular}{lrrrl}\n\\toprule\ntask & tokens & score & interval & whole \\\\\n\\midrule\n"
            "vt, \"hard\" & 131,072 & 100.0 (best) & 1.2 -- 2.0 & yes \\\\\n"
            "cwe & -- & -- & -- & no \\\\\n\\bottomrule\n\\end{tabular}\n");
}

TEST(Table, NoNameIsACommandOfLatex) {
  const Table hostile{"",
                      {"a_b", "[2pt]", "100%"},
                      {{text("x & y # $z$ {w} ~u ^v \\input{/etc/passwd}"), text("*"), number(-1.5, 1)},
                       {text("[select=oracle]"), text("a\n\n\tb"), range({-3, -1})},
                       {text("<|im_end|>"), text(""), text("")}}};
  EXPECT_EQ(latex_view(hostile),
            "\\begin{tabular}{llr}\n\\toprule\na\\_b & {[}2pt] & 100\\% \\\\\n\\midrule\n"
            "x \\& y \\# \\$z\\$ \\{w\\} \\textasciitilde{}u \\textasciicircum{}v "
            "\\textbackslash{}input\\{/etc/passwd\\} & {*} & $-$1.5 \\\\\n"
            "{[}select=oracle] & a   b & $-$3.0 -- $-$1.0 \\\\\n"
            "\\textless{}\\textbar{}im\\_end\\textbar{}\\textgreater{} &  &  \\\\\n\\bottomrule\n\\end{tabular}\n");
}

TEST(Table, WhatStandsBesideItIsACommentOfLatex) {
  const Table table{"sala_tiny\n\\end{document}", {"n"}, {{count(1)}}};
  EXPECT_EQ(show_table(table, {"95% intervals.", "two\rlines"}, "latex"),
            "% sala_tiny\n% \\end{document}\n" + latex_view(table) + "% 95% intervals.\n% two\n% lines\n");
}

TEST(Table, SentencesBesideItHaveAtMost100Columns) {
  const std::string word(40, 'a');
  EXPECT_EQ(plain_sentence("short"), "short\n");
  EXPECT_EQ(plain_sentence(word + " " + word + " " + word), word + " " + word + "\n" + word + "\n");
  EXPECT_EQ(plain_sentence(std::string(150, 'b') + " c"), std::string(150, 'b') + "\nc\n");
  EXPECT_EQ(plain_sentence(std::string(100, 'b') + " c"), std::string(100, 'b') + "\nc\n");
  EXPECT_EQ(plain_sentence(std::string(150, 'b')), std::string(150, 'b') + "\n");
}

TEST(Table, ProgramsSeeFieldsAndWhatIsNotKnownIsAbsent) {
  EXPECT_EQ(csv_view(example()),
            "task,tokens,score,interval,whole\n\"vt, \"\"hard\"\"\",131072,100.0,\"1.2 - 2.0\",true\ncwe,,,,false\n");
  const auto rows = json_view(example());
  EXPECT_EQ(rows.dump(),
            "[{\"task\":\"vt, \\\"hard\\\"\",\"tokens\":131072,\"score\":99.95,\"interval\":[1.25,2.0],\"whole\":true},"
            "{\"task\":\"cwe\",\"tokens\":null,\"score\":null,\"interval\":null,\"whole\":false}]");
}

}  // namespace
}  // namespace sala::eval
