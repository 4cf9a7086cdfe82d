# cmake -DOUT=header.h -DFILE=text -DNAME=kName -DNAMESPACE=sala::tasks::data -P embed_text.cmake: a text file (below 64 KB) as a string literal.
file(READ ${FILE} text)
file(WRITE ${OUT} "#pragma once\n#include <string_view>\nnamespace ${NAMESPACE} {\ninline constexpr std::string_view ${NAME} = R\"~(${text})~\";\n}  // namespace ${NAMESPACE}\n")
