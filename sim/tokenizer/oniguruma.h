// Regular expressions of tokenizer.json files, which are Oniguruma's, in the syntax of PCRE2.
#pragma once

#include <string>

namespace sala::tokenizer {

// A pattern for PCRE2 (UTF, UCP) that matches just what Oniguruma matches by `pattern`. What the two read differently is
// written out: set operations and nested classes, {n,m}+, {,m}, \h, \v, \w, \b, (?m), \u, names of properties. Throws
// Error{kUnsupported} naming the construct for what cannot be written for PCRE2 or is not known here, Error{kFormat} for a
// pattern that ends too early.
std::string to_pcre2(const std::string& pattern);

}  // namespace sala::tokenizer
