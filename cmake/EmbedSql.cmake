# conceptd_embed_sql(OUTPUT file.cpp FILES a.sql b.sql…): the migrations as one generated unit: name, text, SHA-256.
# Generated when CMake runs; an edited or added file makes it run again.
function(conceptd_embed_sql)
  cmake_parse_arguments(ARG "" "OUTPUT" "FILES" ${ARGN})
  set(rows "")
  foreach(path IN LISTS ARG_FILES)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
    get_filename_component(name ${path} NAME_WE)
    file(READ ${path} sql)
    file(SHA256 ${path} digest)
    string(APPEND rows "    {\"${name}\",\n     \"${digest}\",\n     R\"sql(${sql})sql\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${ARG_OUTPUT} @ONLY CONTENT [=[
// Generated from migrations/*.sql by cmake/EmbedSql.cmake.
#include <array>

#include "registry/migrate.h"

namespace conceptd::registry {
namespace {

constexpr Migration kMigrations[] = {
@rows@};

}  // namespace

std::span<const Migration> embedded_migrations() noexcept { return kMigrations; }

}  // namespace conceptd::registry
]=])
endfunction()
