// The commands that move concepts between sites, as those of command.h; and the key files that they share.
#pragma once
#include <string>

#include "cli/command.h"
#include "core/pack/signature.h"

namespace conceptd::cli {

void define_export(CLI::App& app, Context& context);
void define_import(CLI::App& app, Context& context);
void define_pack(CLI::App& app, Context& context);

// PEM files. Error{invalid, "key"} or Error{invalid, "trust"}: what is in it is no such key, or a private key may be
// read by others than its owner.
pack::PrivateKey read_private_key(const std::string& path);
pack::PublicKey read_public_key(const std::string& path);

}  // namespace conceptd::cli
