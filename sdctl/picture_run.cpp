// SPDX-License-Identifier: Apache-2.0
#include "sdctl/picture_run.hpp"

#include "base/sha256.hpp"
#include "client/client.hpp"
#include "sdctl/enum_text.hpp"
#include "sdctl/follow.hpp"
#include "sdctl/interrupt.hpp"
#include "sdctl/job_options.hpp"
#include "sdctl/job_progress.hpp"
#include "sdctl/local_fleet.hpp"
#include "sdctl/local_model.hpp"
#include "sdctl/model_choice.hpp"
#include "sdctl/output.hpp"
#include "sdctl/picture_collector.hpp"
#include "sdctl/program.hpp"
#include "sdctl/progress_display.hpp"
#include "sdctl/resume_plan.hpp"
#include "sdctl/run_report.hpp"

#include <optional>
#include <utility>

#include <spdlog/spdlog.h>

namespace sdfleet::sdctl {

namespace {

using namespace std::chrono_literals;

bool is_echo(const proto::JobSpec& spec)
{
    return std::holds_alternative<proto::EchoParameters>(spec.parameters.kind);
}

std::uint32_t steps_of(const proto::JobSpec& spec)
{
    const auto* diffusion = std::get_if<proto::DiffusionParameters>(&spec.parameters.kind);
    return diffusion == nullptr ? 1 : diffusion->num_inference_steps;
}

/// One run from its wishes to its report.
class PictureRun {
public:
    PictureRun(proto::JobSpec wanted, const RunOptions& options) : wanted_(std::move(wanted)), options_(options)
    {
        job_id_.value = options.job_id.empty() ? make_job_id() : options.job_id;
    }

    base::Result<base::ExitCode> run()
    {
        auto ready = options_.local_actors > 0 ? start_local_fleet() : connect_to_fleet();
        if (ready && !is_echo(wanted_)) {
            ready = choose_model_of_fleet();
        }
        if (ready) {
            ready = plan();
        }
        if (!ready) {
            return tl::unexpected(std::move(ready.error()));
        }
        return plan_.missing.empty() ? finish(proto::JobState::done, "") : submit_and_collect();
    }

private:
    base::Result<void> connect_to_fleet()
    {
        auto client = connect({options_.coordinator, options_.key_file, options_.json, {}, {}});
        if (!client) {
            return tl::unexpected(std::move(client.error()));
        }
        client_ = std::move(*client);
        return {};
    }

    base::Result<void> start_local_fleet()
    {
        LocalFleetOptions local{options_.local_actors, std::nullopt, spdlog::get_level() <= spdlog::level::debug};
        local.devices = options_.local_devices;
        local.max_batch = options_.local_max_batch;
        if (!is_echo(wanted_)) {
            auto model = find_local_model(wanted_.model, model_places(program_folder()));
            if (!model) {
                return tl::unexpected(std::move(model.error()));
            }
            wanted_.model = model->name;
            local.model = std::move(*model);
        }
        auto fleet = LocalFleet::start(local);
        if (!fleet) {
            return tl::unexpected(std::move(fleet.error()));
        }
        fleet_ = std::move(*fleet);
        auto client = fleet_->connect();
        if (!client) {
            return tl::unexpected(std::move(client.error()));
        }
        client_ = std::move(*client);
        return fleet_->wait_until_joined(*client_);
    }

    base::Result<void> choose_model_of_fleet()
    {
        const auto fleet = client_->list_models({});
        auto choice = fleet ? choose_model(wanted_.model, *fleet) : tl::unexpected(fleet.error());
        if (!choice) {
            return tl::unexpected(std::move(choice.error()));
        }
        wanted_.model = choice->name;
        fingerprint_ = choice->fingerprint;
        return {};
    }

    base::Result<void> plan()
    {
        auto manifest = Manifest::load(options_.folder);
        if (!manifest) {
            return tl::unexpected(std::move(manifest.error()));
        }
        plan_ = plan_resume(wanted_, fingerprint_, manifest->entries(), [this](const std::string& file) {
            const auto hash = base::sha256_hex_of_file(options_.folder / file);
            return hash ? std::optional(*hash) : std::nullopt;
        });
        manifest->replace_all(plan_.kept);
        collector_.emplace(options_.folder, std::move(*manifest),
                           CollectedJob{job_id_.value, wanted_, fingerprint_, plan_.missing});
        if (!plan_.kept.empty()) {
            narrate(std::to_string(plan_.kept.size()) + " of " + std::to_string(wanted_.items.size()) +
                    " already there");
        }
        if (plan_.replaced > 0) {
            narrate("replacing " + std::to_string(plan_.replaced) + " of an earlier run with other wishes");
        }
        return {};
    }

    base::Result<base::ExitCode> submit_and_collect()
    {
        const auto prepared = collector_->prepare();
        if (fleet_) {
            // Nobody could fetch from a fleet that ends with us; and a static split is over the actors there are now.
            auto ready = prepared ? fleet_->wait_until_ready(*client_, actors_needed()) : prepared;
            if (!ready) {
                return tl::unexpected(std::move(ready.error()));
            }
        }
        const auto submitted = client_->submit({job_id_, select_items(wanted_, plan_.missing)});
        if (!submitted) {
            return tl::unexpected(submitted.error());
        }
        narrate("job " + job_id_.value);
        if (!prepared) {
            return tl::unexpected(with_advice(prepared.error()));
        }
        const auto ended = collect();
        if (!ended && ended.error().code == base::ExitCode::interrupted) {
            return cancel_job();
        }
        if (!ended) {
            return tl::unexpected(with_advice(ended.error()));
        }
        return finish(ended->state, job_id_.value);
    }

    int actors_needed() const { return wanted_.split == proto::Split::pull ? 1 : options_.local_actors; }

    base::Result<proto::JobSummary> collect()
    {
        ProgressDisplay display;
        JobProgress progress(static_cast<std::uint32_t>(wanted_.items.size()),
                             static_cast<std::uint32_t>(plan_.kept.size()), steps_of(wanted_));
        auto there = static_cast<std::uint32_t>(plan_.kept.size());
        const auto wait = display.is_live() ? 200ms : 1000ms;
        return follow_job(*client_, job_id_, wait, [&](const proto::JobChanges& changes) -> base::Result<void> {
            progress.apply(changes, now_for_display());
            for (const auto& item : changes.items) {
                const auto entry = collector_->take(*client_, item);
                if (!entry) {
                    return tl::unexpected(entry.error());
                }
                if (*entry != nullptr) {
                    there += (*entry)->error.empty() ? 1 : 0;
                    tell(display, **entry, there);
                }
            }
            display.show(progress.view());
            return fleet_ ? fleet_->check(*client_) : base::Result<void>{};
        });
    }

    void tell(ProgressDisplay& display, const ManifestEntry& entry, std::uint32_t there) const
    {
        if (!display.is_live() && entry.error.empty()) {
            display.keep_line(picture_line(there, static_cast<std::uint32_t>(wanted_.items.size()), entry.file,
                                           entry.prompt, entry.actor, entry.elapsed_ms));
        }
    }

    base::Result<base::ExitCode> cancel_job()
    {
        acknowledge_interrupt();
        narrate("interrupted: cancelling job " + job_id_.value + " (once more: leave at once)");
        if (const auto cancelled = client_->cancel(job_id_); !cancelled) {
            narrate("job " + job_id_.value + " could not be cancelled: " + cancelled.error().message);
        }
        const auto finished = finish(proto::JobState::cancelled, job_id_.value);
        return finished ? base::ExitCode::interrupted : finished;
    }

    base::Result<base::ExitCode> finish(proto::JobState state, const std::string& job_id)
    {
        if (const auto finished = collector_->finish(); !finished) {
            return tl::unexpected(job_id.empty() ? finished.error() : with_advice(finished.error()));
        }
        print(RunReport{job_id, to_text(state), options_.folder, wanted_.items.size(), plan_.kept.size(),
                        collector_->manifest().entries()},
              options_.json);
        return exit_code_of(state);
    }

    /// A job of a real fleet goes on when we leave.
    base::Error with_advice(base::Error error) const
    {
        if (!fleet_) {
            error.message += "; job " + job_id_.value + " goes on: get its pictures with 'sdctl fetch " +
                             job_id_.value + " --out DIR'";
        }
        return error;
    }

    proto::JobSpec wanted_;
    const RunOptions& options_;
    proto::JobId job_id_;
    std::string fingerprint_;
    ResumePlan plan_;
    std::optional<PictureCollector> collector_;
    std::optional<LocalFleet> fleet_; ///< before the client: it goes after it
    std::optional<client::Client> client_;
};

} // namespace

base::Result<base::ExitCode> draw_pictures(proto::JobSpec wanted, const RunOptions& options)
{
    return PictureRun(std::move(wanted), options).run();
}

} // namespace sdfleet::sdctl
