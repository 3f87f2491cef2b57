# libtorch for the rooms that need it, with one precompiled header (a unit that includes torch costs 20-40 s of CPU).
find_package(Torch REQUIRED)
add_library(conceptd_torch INTERFACE)
target_include_directories(conceptd_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(conceptd_torch INTERFACE ${TORCH_LIBRARIES})
separate_arguments(CONCEPTD_TORCH_FLAGS UNIX_COMMAND "${TORCH_CXX_FLAGS}")
target_compile_options(conceptd_torch INTERFACE ${CONCEPTD_TORCH_FLAGS})

function(conceptd_use_torch target)
  get_target_property(kind ${target} TYPE)
  if(kind STREQUAL "EXECUTABLE")
    target_link_libraries(${target} PRIVATE conceptd_torch)
    target_compile_options(${target} PRIVATE -fPIC)  # as the precompiled header: CMake would say -fPIE
  else()
    target_link_libraries(${target} PUBLIC conceptd_torch)
  endif()
  if(TARGET conceptd_torch_pch AND NOT target STREQUAL "conceptd_torch_pch")
    target_precompile_headers(${target} REUSE_FROM conceptd_torch_pch)
  endif()
endfunction()

# The one precompiled header; ccache needs these two flags to look inside it.
file(WRITE ${CMAKE_BINARY_DIR}/torch_pch.cpp "// carries the precompiled header\n")
add_library(conceptd_torch_pch STATIC ${CMAKE_BINARY_DIR}/torch_pch.cpp)
target_link_libraries(conceptd_torch_pch PUBLIC conceptd_flags conceptd_torch)
target_precompile_headers(conceptd_torch_pch PRIVATE
  ${CMAKE_SOURCE_DIR}/diffusion/torch.h <string> <vector> <map> <memory> <filesystem> <nlohmann/json.hpp>)
add_compile_options(-fpch-preprocess)
