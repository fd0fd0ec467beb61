// SPDX-License-Identifier: Apache-2.0
#include "client/client.hpp"

#include "base/sha256.hpp"
#include "client/connection.hpp"
#include "client/request_error.hpp"

#include <utility>

namespace sdfleet::client {

struct Client::Impl {
    Connection connection;
    explicit Impl(ClientOptions options) : connection(std::move(options)) {}

    base::Result<proto::Packet> ask_for_packet(proto::Message request)
    {
        auto reply = connection.ask(std::move(request), connection.options().request_patience);
        if (!reply) {
            return reply;
        }
        if (const auto* refusal = std::get_if<proto::RequestFailed>(&reply->message)) {
            return tl::unexpected(error_of(*refusal));
        }
        return reply;
    }

    template <class Reply>
    base::Result<Reply> ask(proto::Message request)
    {
        auto packet = ask_for_packet(std::move(request));
        if (!packet) {
            return tl::unexpected(std::move(packet.error()));
        }
        auto* reply = std::get_if<Reply>(&packet->message);
        if (reply == nullptr) {
            return base::fail(base::ExitCode::failed,
                              "the coordinator at " + connection.options().endpoint +
                                  " gave an answer that does not fit the question; use programs "
                                  "of the same release on both sides");
        }
        return std::move(*reply);
    }
};

base::Result<Client> Client::connect(ClientOptions options)
{
    auto impl = std::make_unique<Impl>(std::move(options));
    if (auto opened = impl->connection.open(); !opened) {
        return tl::unexpected(std::move(opened.error()));
    }
    return Client(std::move(impl));
}

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

std::uint64_t Client::epoch() const
{
    return impl_->connection.epoch();
}

base::Result<proto::Submitted> Client::submit(const proto::Submit& request)
{
    return impl_->ask<proto::Submitted>(request);
}

base::Result<proto::JobChanges> Client::watch(const proto::WatchJob& request)
{
    return impl_->ask<proto::JobChanges>(request);
}

base::Result<proto::JobDetail> Client::get_job(const proto::GetJob& request)
{
    return impl_->ask<proto::JobDetail>(request);
}

base::Result<proto::JobList> Client::list_jobs(const proto::ListJobs& request)
{
    return impl_->ask<proto::JobList>(request);
}

base::Result<proto::NodeList> Client::list_nodes(const proto::ListNodes& request)
{
    return impl_->ask<proto::NodeList>(request);
}

base::Result<proto::ModelList> Client::list_models(const proto::ListModels& request)
{
    return impl_->ask<proto::ModelList>(request);
}

base::Result<proto::NodeChanged> Client::drain_node(const proto::NodeId& node_id, bool drain)
{
    return impl_->ask<proto::NodeChanged>(proto::DrainNode{node_id, drain});
}

base::Result<proto::NodeChanged> Client::fence_node(const proto::NodeId& node_id)
{
    return impl_->ask<proto::NodeChanged>(proto::FenceNode{node_id});
}

base::Result<proto::Status> Client::status(const proto::GetStatus& request)
{
    return impl_->ask<proto::Status>(request);
}

base::Result<proto::JobCancelled> Client::cancel(const proto::JobId& job_id)
{
    return impl_->ask<proto::JobCancelled>(proto::CancelJob{job_id});
}

base::Result<proto::ProgramLaunched> Client::launch(const proto::LaunchProgram& request)
{
    return impl_->ask<proto::ProgramLaunched>(request);
}

base::Result<Client::ProgramNews> Client::watch_program(const proto::WatchProgram& request)
{
    auto packet = impl_->ask_for_packet(request);
    if (!packet) {
        return tl::unexpected(std::move(packet.error()));
    }
    auto* changes = std::get_if<proto::ProgramChanges>(&packet->message);
    std::size_t bytes = 0;
    if (changes != nullptr) {
        for (const auto& chunk : changes->output) {
            bytes += chunk.bytes;
        }
    }
    const std::size_t sent = packet->blobs.empty() ? 0 : packet->blobs.front().bytes.size();
    if (changes == nullptr || bytes != sent) {
        return base::fail(base::ExitCode::failed, "the coordinator at " + impl_->connection.options().endpoint +
                                                      " gave an answer that does not fit the question; use programs "
                                                      "of the same release on both sides");
    }
    return ProgramNews{std::move(*changes), packet->blobs.empty() ? proto::Blob{} : std::move(packet->blobs.front())};
}

base::Result<proto::ProgramChanges> Client::stop_program(const proto::StopProgram& request)
{
    return impl_->ask<proto::ProgramChanges>(request);
}

base::Result<proto::Blob> Client::fetch_artifact(const std::string& sha256)
{
    auto packet = impl_->ask_for_packet(proto::FetchArtifact{sha256});
    if (!packet) {
        return tl::unexpected(std::move(packet.error()));
    }
    if (!std::holds_alternative<proto::Artifact>(packet->message) || packet->blobs.size() != 1 ||
        base::sha256_hex(packet->blobs.front().bytes) != sha256) {
        return base::fail(base::ExitCode::failed, "the coordinator at " + impl_->connection.options().endpoint +
                                                      " sent bytes that are not artifact " + sha256 +
                                                      "; its copy may be damaged");
    }
    return std::move(packet->blobs.front());
}

} // namespace sdfleet::client
