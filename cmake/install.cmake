# cmake --install: libraries with their headers, the programs, the models, and a package that find_package(sala) finds.
# --component program: the program and what it reads alone (scripts/bundle).
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/sala)

set(sala_libraries core text ops tokenizer sim tasks)
foreach(library IN LISTS sala_libraries)
  set_target_properties(sala_${library} PROPERTIES EXPORT_NAME ${library})
  install(TARGETS sala_${library} EXPORT salaTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endforeach()
install(EXPORT salaTargets NAMESPACE sala:: DESTINATION ${package_dir})
install(DIRECTORY sim/include/ tasks/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

install(TARGETS sala_eval RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
install(DIRECTORY models configs DESTINATION ${CMAKE_INSTALL_DATADIR}/sala COMPONENT program)
install(FILES analysis/plot.py DESTINATION ${CMAKE_INSTALL_DATADIR}/sala/analysis COMPONENT program)
install(DIRECTORY analysis/plots DESTINATION ${CMAKE_INSTALL_DATADIR}/sala/analysis COMPONENT program FILES_MATCHING PATTERN "*.py")
install(FILES train/family.toml DESTINATION ${CMAKE_INSTALL_DATADIR}/sala COMPONENT program)
install(FILES LICENSE NOTICE CITATION.cff DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)

configure_package_config_file(cmake/salaConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/salaConfig.cmake
  INSTALL_DESTINATION ${package_dir} PATH_VARS CMAKE_INSTALL_DATADIR)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/salaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/salaConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/salaConfigVersion.cmake
  cmake/FindSentencePiece.cmake DESTINATION ${package_dir})
