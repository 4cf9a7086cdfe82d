// The whole program: commands, and what becomes of errors.
#pragma once

namespace sala::eval {

// What main() of sala_eval calls. A program with mixers, encodings, statistics or tasks of its own registers them first and
// is a whole sala_eval then. Returns the exit code; throws nothing.
int run_program(int argc, char** argv);

}  // namespace sala::eval
