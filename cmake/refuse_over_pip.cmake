# Run by `cmake --install`: over files that pip owns, a later `pip uninstall` would take our messages away.
file(GLOB _owned "${CMAKE_INSTALL_PREFIX}/lib/python3*/site-packages/or_spatial-*.dist-info")
if(_owned)
  message(FATAL_ERROR "pip has installed or_spatial here (${_owned}); run `pip uninstall or_spatial` first")
endif()
