# What it takes to build interfaces over ROS 2 from PyPI wheels, in a venv. With a complete ROS installation nothing
# here changes anything. Call each function after rosidl_generate_interfaces, which makes the targets.

# The wheels name include folders that they do not ship; CMake refuses such targets. Drop the missing folders.
function(drop_missing_include_dirs)
  get_property(_targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(_target IN LISTS _targets)
    get_target_property(_dirs ${_target} INTERFACE_INCLUDE_DIRECTORIES)
    if(NOT _dirs)
      continue()
    endif()
    set(_kept "")
    foreach(_dir IN LISTS _dirs)
      if(_dir MATCHES "\\$<" OR EXISTS "${_dir}")
        list(APPEND _kept "${_dir}")
      endif()
    endforeach()
    set_property(TARGET ${_target} PROPERTY INTERFACE_INCLUDE_DIRECTORIES "${_kept}")
  endforeach()
endfunction()

# rosidl exports the absolute path of NumPy's headers. When the venv lies inside the checkout and the install folder does
# not (colcon over .venv), CMake takes that for a leak of the source tree and refuses. Only our own build needs them.
function(keep_numpy_headers_out_of_the_export)
  set(_target ${PROJECT_NAME}__rosidl_generator_py)
  if(NOT TARGET ${_target})
    return()
  endif()
  get_target_property(_dirs ${_target} INTERFACE_INCLUDE_DIRECTORIES)
  if(NOT _dirs)
    return()
  endif()
  set(_kept "")
  foreach(_dir IN LISTS _dirs)
    if(_dir MATCHES "\\$<" OR NOT _dir MATCHES "numpy")
      list(APPEND _kept "${_dir}")
    else()
      list(APPEND _kept "$<BUILD_INTERFACE:${_dir}>")
    endif()
  endforeach()
  set_property(TARGET ${_target} PROPERTY INTERFACE_INCLUDE_DIRECTORIES "${_kept}")
endfunction()

# The generated C++ files share heavy headers: compiled as one file per target they take 25 s of processor time instead
# of 190 s (measured, 22 interfaces, Kilted). It needs messages listed after those that they contain.
function(build_type_supports_at_once)
  foreach(_kind typesupport_fastrtps_c typesupport_fastrtps_cpp typesupport_introspection_cpp typesupport_cpp)
    set(_target ${PROJECT_NAME}__rosidl_${_kind})
    if(TARGET ${_target})
      set_target_properties(${_target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
      target_compile_options(${_target} PRIVATE -Wno-redundant-decls)
    endif()
  endforeach()
endfunction()
