#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/ask.h"
#include "cli/command.h"
#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

struct Options {
  std::string what;
  std::string alias;
};

int print_aliases(const Context& context, const Json& answer) {
  if (context.json) {
    context.print(answer);
    return 0;
  }
  const auto list = api::decode_answer<api::AliasList>(answer);
  if (list.aliases.empty()) {
    context.out << list.name << " has no alias. Set one: conceptctl alias set " << list.name << "@VERSION ALIAS\n";
    return 0;
  }
  std::vector<std::vector<std::string>> rows{{"ALIAS", "VERSION", "SET", "BY"}};
  for (const api::AliasInfo& item : list.aliases)
    rows.push_back({item.alias, std::to_string(item.version), human_time(item.created_at), printable(item.set_by)});
  print_table(context.out, rows);
  context.out << "In a prompt: <" << list.name << "@" << list.aliases.front().alias << ">\n";
  return 0;
}

int set(const Context& context, const Options& options) {
  const Reference reference = split_reference(options.what);
  return print_aliases(
      context, context.client().post("concepts/" + path_segment(reference.name) + "/alias",
                                     api::encode(api::SetAlias{.alias = options.alias, .version = reference.version})));
}

int remove(const Context& context, const Options& options) {
  return print_aliases(context, context.client().post("concepts/" + path_segment(options.what) + "/unalias",
                                                      api::encode(api::SetAlias{.alias = options.alias})));
}

int list(const Context& context, const Options& options) {
  return print_aliases(context, context.client().get("concepts/" + path_segment(options.what) + "/aliases"));
}

}  // namespace

void define_alias(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("alias", "Names for versions: <kettle-7@print> in a prompt");
  command->require_subcommand(1);
  const auto define = [&](const char* name, const char* help, const char* what, bool takes_alias, auto run) {
    CLI::App* sub = command->add_subcommand(name, help);
    sub->add_option("what", options->what)->required()->type_name(what);
    if (takes_alias) sub->add_option("alias", options->alias)->required()->type_name("ALIAS");
    sub->callback(
        [&context, options, run] { context.run = [&context, options, run] { return run(context, *options); }; });
    sub->fallthrough();
  };
  define("set", "Give a version a name, or move the name to it (default: the live one)", "NAME[@VERSION]", true, set);
  define("rm", "Take a name away; the version stays", "NAME", true, remove);
  define("list", "List the names of a concept's versions", "NAME", false, list);
}

}  // namespace conceptd::cli
