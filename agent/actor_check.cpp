// SPDX-License-Identifier: Apache-2.0
#include "agent/actor_check.hpp"

#include "agent/process/child_process.hpp"
#include "base/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read.hpp>
#include <fcntl.h>
#include <unistd.h>

namespace sdfleet::agent {

namespace {

constexpr std::size_t max_output_bytes = 64 * 1024;

/// What a person has to read of it: the last line, without the program's name.
std::string reason_in(std::string output)
{
    output.erase(output.find_last_not_of('\n') + 1);
    const auto line = output.substr(output.rfind('\n') + 1);
    const std::string name = "actor: ";
    return line.starts_with(name) ? line.substr(name.size()) : line;
}

base::Result<void> judge(const std::filesystem::path& program, const std::optional<ExitStatus>& status,
                         const std::string& output)
{
    const auto bad = [&](const std::string& why) { return base::fail(base::ExitCode::failed, why); };
    if (!status) {
        return bad(program.string() + " check does not come to an end");
    }
    const auto* exited = std::get_if<ExitedWith>(&*status);
    if (exited != nullptr && (exited->code == 0 || exited->code == base::to_int(base::ExitCode::usage))) {
        return {};
    }
    const auto reason = reason_in(output);
    return bad(reason.empty() ? program.string() + " check " + describe(*status) : reason);
}

} // namespace

std::vector<std::pair<std::string, std::string>> gpu_environment(const devices::Slot& slot)
{
    if (slot.uuid.empty()) {
        return {};
    }
    return {{"CUDA_VISIBLE_DEVICES", slot.uuid}, {"CUDA_DEVICE_ORDER", "PCI_BUS_ID"}};
}

base::Result<void> check_gpu_actor(const std::filesystem::path& program, const devices::Slot& slot,
                                   const std::string& mode, std::chrono::milliseconds patience)
{
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return base::fail(base::ExitCode::failed, std::string("cannot make a pipe: ") + std::strerror(errno));
    }
    boost::asio::io_context io;
    boost::asio::posix::stream_descriptor read_end(io, ends[0]);
    std::optional<base::UniqueFd> write_end(ends[1]);
    Command command{program, {"check", "--device", "cuda:0", "--mode", mode}, gpu_environment(slot)};
    command.stdout_fd = command.stderr_fd = write_end->get();
    auto process = ChildProcess::spawn(io, command);
    if (!process) {
        return tl::unexpected(process.error());
    }
    write_end.reset(); // the process has its own
    std::optional<ExitStatus> status;
    process->on_exit([&](const ExitStatus& ended) { status = ended; });
    std::string output;
    boost::asio::async_read(read_end, boost::asio::dynamic_buffer(output, max_output_bytes),
                            [](const boost::system::error_code&, std::size_t) {});
    io.run_for(patience);
    return judge(program, status, output);
}

} // namespace sdfleet::agent
