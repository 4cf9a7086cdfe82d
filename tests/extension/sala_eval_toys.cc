// sala_eval with four parts of its own: all that a program outside the tree has to write.
#include "eval/cli/program.h"
#include "tests/extension/toys.h"

int main(int argc, char** argv) {
  sala::toys::register_all();
  return sala::eval::run_program(argc, argv);
}
