# One function per kind of target, and the flags that all of them share.
add_library(conceptd_flags INTERFACE)
target_include_directories(conceptd_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
target_compile_options(conceptd_flags INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 sees an overlapping memcpy in "literal" + std::string where there is none (GCC bug 105651).
  target_compile_options(conceptd_flags INTERFACE -Wno-restrict)
endif()
if(CONCEPTD_WERROR)
  target_compile_options(conceptd_flags INTERFACE -Werror)
endif()
if(CONCEPTD_SANITIZE)
  target_compile_options(conceptd_flags INTERFACE -fsanitize=${CONCEPTD_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(conceptd_flags INTERFACE -fsanitize=${CONCEPTD_SANITIZE})
  # GCC 12 sees uninitialised members in std::regex when it instruments it.
  target_compile_options(conceptd_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  if(CONCEPTD_SANITIZE MATCHES "undefined")
    # It looks at memory through a pipe; the decoder has no descriptor left for one, and all looks invalid there.
    target_compile_options(conceptd_flags INTERFACE -fno-sanitize=vptr)
  endif()
  if(CONCEPTD_SANITIZE MATCHES "thread")
    # ThreadSanitizer does not see a fence that stands alone; Asio's queues are locked without it.
    target_compile_definitions(conceptd_flags INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
endif()
if(CONCEPTD_FUZZ)
  target_compile_options(conceptd_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# conceptd_room(NAME sources… LIBS libraries…): the static library of one folder.
function(conceptd_room name)
  cmake_parse_arguments(ARG "TORCH" "" "LIBS" ${ARGN})
  add_library(conceptd_${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(conceptd_${name} PUBLIC conceptd_flags ${ARG_LIBS})
  if(ARG_TORCH)
    conceptd_use_torch(conceptd_${name})
  endif()
endfunction()

# conceptd_test(ROOM sources… LIBS libraries…): the GoogleTest binary of one room, run by ctest.
function(conceptd_test room)
  cmake_parse_arguments(ARG "TORCH" "TIMEOUT" "LIBS" ${ARGN})
  add_executable(${room}_tests ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${room}_tests PRIVATE conceptd_flags ${ARG_LIBS} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${room}_tests PRIVATE
    CONCEPTD_SOURCE_DIR="${CMAKE_SOURCE_DIR}" CONCEPTD_BINARY_DIR="${CMAKE_BINARY_DIR}")
  if(ARG_TORCH)
    conceptd_use_torch(${room}_tests)
  endif()
  add_test(NAME ${room}_tests COMMAND ${room}_tests)
  if(ARG_TIMEOUT)
    set_tests_properties(${room}_tests PROPERTIES TIMEOUT ${ARG_TIMEOUT})
  endif()
endfunction()
