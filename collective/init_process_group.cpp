// SPDX-License-Identifier: Apache-2.0
// How a group comes about: listen, meet, connect.
#include "collective/process_group.hpp"

#include "collective/forming_error.hpp"
#include "collective/local_host.hpp"
#include "collective/master_rendezvous.hpp"
#include "collective/nccl_setup.hpp"
#include "collective/private_folder.hpp"
#include "collective/process_group_impl.hpp"
#include "collective/rendezvous_client.hpp"
#include "collective/rendezvous_keys.hpp"

namespace sdfleet::collective {

namespace {

using Via = std::variant<ViaAgent, ViaMaster>;
using Link = std::unique_ptr<RendezvousLink>;

/// ViaMaster with its address in numbers.
Result<ViaMaster> check_master(const ViaMaster& master, const Membership& self)
{
    const auto address = resolve_address(master.address);
    if (!address) {
        return tl::unexpected(
            forming_error(InvalidArgument{}, self,
                          "the master address " + master.address + " is no IPv4 address and no name of one"));
    }
    if (master.port == 0) {
        return tl::unexpected(
            forming_error(InvalidArgument{}, self, "the master port is 0; all ranks must know it beforehand"));
    }
    if (master.secret.empty() && !is_loopback(*address)) {
        return tl::unexpected(
            forming_error(InvalidArgument{}, self,
                          "ranks that meet at " + *address +
                              ", which is not a loopback address, need a shared secret (SDFLEET_GROUP_SECRET)"));
    }
    return ViaMaster{*address, master.port, master.secret};
}

Result<Link> make_link(const ViaMaster& master, const Membership& self)
{
    const auto endpoint = "tcp://" + master.address + ":" + std::to_string(master.port);
    std::optional<RendezvousKeys> keys;
    if (!master.secret.empty()) {
        keys = derive_keys(master.secret);
    }
    if (self.rank.value != 0) {
        std::optional<net::CurveClient> curve;
        if (keys) {
            curve = net::CurveClient{keys->server.public_key, keys->client};
        }
        return std::make_unique<RendezvousClient>(endpoint, Rank{0}, curve);
    }
    std::optional<net::CurveServer> curve;
    if (keys) {
        curve = net::CurveServer{keys->server};
    }
    auto listening = MasterRendezvous::listen(endpoint, curve, keys ? keys->client.public_key : "");
    if (!listening) {
        return tl::unexpected(
            forming_error(NotFormed{}, self, listening.error() + "; rank 0 listens there while the group forms"));
    }
    return std::move(*listening);
}

/// Where the other machines' ranks find this one.
Result<std::string> choose_address(const Via& via, const InitOptions& options, const Membership& self)
{
    if (options.listen_address) {
        if (auto address = resolve_address(*options.listen_address)) {
            return *address;
        }
        return tl::unexpected(
            forming_error(InvalidArgument{}, self,
                          "the listen address " + *options.listen_address + " is no IPv4 address and no name of one"));
    }
    // Which way packets to other machines leave; nothing is sent to this address, which is reserved for documentation.
    constexpr const char* elsewhere = "192.0.2.1";
    const auto* master = std::get_if<ViaMaster>(&via);
    return address_towards(master != nullptr ? master->address : elsewhere).value_or("127.0.0.1");
}

/// Joins with what the mesh listens at, and connects it.
Result<void> form(Mesh& mesh, RendezvousLink& link, const Via& via, const InitOptions& options, Deadline deadline)
{
    const auto& self = mesh.self();
    const auto address = choose_address(via, options, self);
    if (!address) {
        return tl::unexpected(address.error());
    }
    const auto folder = PrivateFolder::make(); // goes when all are connected
    const auto path = folder ? std::optional(folder->file()) : std::nullopt;
    auto member = mesh.listen({host_identity(), path, *address});
    if (!member) {
        return tl::unexpected(std::move(member.error()));
    }
    const auto* agent = std::get_if<ViaAgent>(&via);
    const proto::GroupId group{agent != nullptr ? agent->program_id + "/" + self.group : self.group};
    const auto formed = link.join({group, self.epoch, self.world_size, 0, *member}, deadline);
    if (!formed) {
        return tl::unexpected(formed.error());
    }
    link.on_abort([&mesh](const proto::GroupAbort& abort) { mesh.interrupt(error_of(abort)); });
    mesh.on_failure([&link, group, epoch = self.epoch](const Error& error) {
        const auto* lost = std::get_if<PeerLost>(&error.cause);
        link.abort({group, epoch, lost != nullptr ? lost->ranks : std::vector<Rank>{}, error.message});
    });
    return mesh.connect(formed->members, deadline);
}

/// Connects the ranks, if there are any others.
Result<void> meet(ProcessGroup::Impl& group, Via via, const InitOptions& options, Deadline deadline)
{
    const auto& self = group.mesh.self();
    if (self.world_size == 1) {
        return {};
    }
    if (const auto* agent = std::get_if<ViaAgent>(&via)) {
        group.link = std::make_unique<RendezvousClient>(agent->endpoint, std::nullopt, std::nullopt);
    } else {
        auto master = check_master(std::get<ViaMaster>(via), self);
        if (!master) {
            return tl::unexpected(std::move(master.error()));
        }
        via = *master;
        auto link = make_link(*master, self);
        if (!link) {
            return tl::unexpected(std::move(link.error()));
        }
        group.link = std::move(*link);
    }
    if (auto formed = form(group.mesh, *group.link, via, options, deadline); !formed) {
        return tl::unexpected(std::move(formed.error()));
    }
    if (std::holds_alternative<ViaMaster>(via)) { // all are connected: rank 0 needs to listen no longer
        group.mesh.on_failure(nullptr);
        group.link.reset();
    }
    return {};
}

Result<ProcessGroup> init_group(Backend backend, const Membership& self, const Via& rendezvous,
                                const InitOptions& options, std::uint32_t local_rank)
{
    if (!proto::is_valid_name(options.group_name)) {
        return tl::unexpected(forming_error(InvalidArgument{}, self, "a group's name is 1 to 64 of [A-Za-z0-9._-]"));
    }
    if (self.rank.value >= self.world_size) {
        return tl::unexpected(forming_error(InvalidArgument{}, self, "a world of " + std::to_string(self.world_size)));
    }
    const auto deadline = Deadline::in(options.timeout);
    auto impl = std::make_unique<ProcessGroup::Impl>(self, backend, options.timeout);
    if (backend == Backend::zmq) {
        return meet(*impl, rendezvous, options, deadline).map([&] { return ProcessGroup(std::move(impl)); });
    }
    const auto own = find_nccl(options.nccl, local_rank);
    if (auto met = meet(*impl, rendezvous, options, deadline); !met) {
        if (!own) { // nobody could be told; what is wrong here goes first all the same
            return tl::unexpected(forming_error(own.error().cause, self, own.error().message));
        }
        return tl::unexpected(std::move(met.error()));
    }
    return set_up_nccl(*impl, own, deadline).map([&] { return ProcessGroup(std::move(impl)); });
}

} // namespace

Result<ProcessGroup> init_process_group(Backend backend, std::uint32_t rank, std::uint32_t world_size,
                                        const Via& rendezvous, const InitOptions& options)
{
    return init_group(backend, {options.group_name, options.epoch, {rank}, world_size}, rendezvous, options, 0);
}

Result<ProcessGroup> init_process_group(Backend backend, const InitOptions& options)
{
    auto environment = read_rank_environment();
    if (!environment) {
        return tl::unexpected(std::move(environment.error()));
    }
    auto with_epoch = options;
    with_epoch.epoch = environment->epoch;
    Via via = ViaMaster{};
    if (environment->agent) {
        via = *environment->agent;
        if (!with_epoch.listen_address && environment->master) {
            // The network that the nodes share; there need not be a way to anywhere else.
            const auto master = resolve_address(environment->master->address);
            with_epoch.listen_address = master ? address_towards(*master) : std::nullopt;
        }
    } else if (environment->master) {
        via = *environment->master;
    } else if (environment->world_size > 1) {
        return tl::unexpected(Error{
            InvalidArgument{}, "the environment of this rank: WORLD_SIZE=" + std::to_string(environment->world_size) +
                                   " needs MASTER_ADDR and MASTER_PORT, or SDFLEET_AGENT"});
    }
    const Membership self{with_epoch.group_name, with_epoch.epoch, {environment->rank}, environment->world_size};
    return init_group(backend, self, via, with_epoch, environment->local_rank);
}

} // namespace sdfleet::collective
