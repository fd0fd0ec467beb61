// SPDX-License-Identifier: Apache-2.0
#include "coordinator/key_guard.hpp"

#include "net/key_files.hpp"

#include <chrono>
#include <utility>

#include <spdlog/spdlog.h>

namespace sdfleet::coordinator {

base::Result<std::unique_ptr<KeyGuard>> KeyGuard::open(net::Context& context, boost::asio::io_context& io,
                                                       const std::filesystem::path& data_dir)
{
    auto keys = net::load_or_make_server_keys(data_dir);
    if (!keys) {
        return tl::unexpected(std::move(keys.error()));
    }
    auto allowed = net::load_allowed_keys(data_dir);
    if (!allowed) {
        return tl::unexpected(std::move(allowed.error()));
    }
    if (allowed->all.empty()) {
        return base::fail(base::ExitCode::usage,
                          "nobody could connect: no key was issued yet. Run 'sdctl keys issue NAME --data-dir " +
                              data_dir.string() + " --out NAME.key' for each agent and each person");
    }
    std::unique_ptr<KeyGuard> guard(
        new KeyGuard(context, io, data_dir, net::CurveServer{std::move(*keys)}, std::move(*allowed)));
    if (auto tested = guard->authenticator_.self_test(); !tested) {
        return base::fail(base::ExitCode::failed, std::move(tested.error()));
    }
    guard->follow();
    return guard;
}

KeyGuard::KeyGuard(net::Context& context, boost::asio::io_context& io, std::filesystem::path data_dir,
                   net::CurveServer server, net::AllowedKeys allowed)
    : data_dir_(std::move(data_dir)), server_(std::move(server)), allowed_(std::move(allowed)),
      authenticator_(context, allowed_.all), timer_(io)
{
}

void KeyGuard::follow()
{
    timer_.expires_after(std::chrono::seconds(1));
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) {
            return;
        }
        read_again();
        follow();
    });
}

void KeyGuard::read_again()
{
    auto allowed = net::load_allowed_keys(data_dir_);
    if (!allowed) {
        // Those who were allowed stay so, also one whose key is revoked meanwhile: the operator has to know, once.
        if (std::exchange(complaint_, allowed.error().message) != allowed.error().message) {
            spdlog::error("keys issued or revoked from now on do not count until this is mended: {}", complaint_);
        }
        return;
    }
    complaint_.clear();
    if (*allowed != allowed_) {
        allowed_ = std::move(*allowed);
        authenticator_.allow(allowed_.all);
        spdlog::info("{} keys may connect now, {} of them may launch programs", allowed_.all.size(),
                     allowed_.may_launch.size());
    }
}

} // namespace sdfleet::coordinator
