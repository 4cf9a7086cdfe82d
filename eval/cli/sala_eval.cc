#include "eval/cli/program.h"

int main(int argc, char** argv) { return sala::eval::run_program(argc, argv); }
