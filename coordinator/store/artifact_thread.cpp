// SPDX-License-Identifier: Apache-2.0
#include "coordinator/store/artifact_thread.hpp"

#include <utility>

namespace sdfleet::coordinator {

ArtifactThread::ArtifactThread(ArtifactFolder folder, ContentReader contents, std::function<void(Event)> on_event)
    : folder_(std::move(folder)), contents_(std::move(contents)), on_event_(std::move(on_event)),
      thread_([this] { run(); })
{
}

ArtifactThread::~ArtifactThread()
{
    stop();
}

void ArtifactThread::stop()
{
    queue_.close();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void ArtifactThread::push(Task task)
{
    constexpr const char* full = "too many artifacts wait for the disk";
    if (queue_.push(task)) {
        return;
    }
    if (const auto* save = std::get_if<SaveArtifact>(&task)) {
        on_event_(ArtifactNotSaved{save->ticket, false, full});
    } else if (const auto* load = std::get_if<LoadArtifact>(&task)) {
        on_event_(ArtifactNotLoaded{load->ticket, full});
    }
}

void ArtifactThread::run()
{
    for (auto tasks = queue_.take_all(); !tasks.empty(); tasks = queue_.take_all()) {
        while (!tasks.empty()) {
            std::visit([this](const auto& task) { perform(task); }, tasks.front());
            tasks.pop_front(); // frees the picture's memory
        }
    }
}

void ArtifactThread::perform(const SaveArtifact& task)
{
    const auto result = folder_.save(task.sha256, task.content);
    if (const auto* corrupt = std::get_if<ArtifactFolder::Corrupt>(&result)) {
        on_event_(ArtifactNotSaved{task.ticket, true, corrupt->message});
    } else if (const auto* unwritable = std::get_if<ArtifactFolder::Unwritable>(&result)) {
        on_event_(ArtifactNotSaved{task.ticket, false, unwritable->message});
    } else {
        on_event_(ArtifactSaved{task.ticket});
    }
}

void ArtifactThread::perform(const LoadArtifact& task)
{
    auto content = load(task.sha256);
    if (content) {
        on_event_(ArtifactLoaded{task.ticket, std::move(*content)});
    } else {
        on_event_(ArtifactNotLoaded{task.ticket, content.error().message});
    }
}

base::Result<proto::Blob> ArtifactThread::load(const std::string& sha256)
{
    auto small = contents_.find(sha256);
    if (!small) {
        return tl::unexpected(std::move(small.error()));
    }
    return *small ? base::Result<proto::Blob>(std::move(**small)) : folder_.load(sha256);
}

void ArtifactThread::perform(const RemoveArtifact& task)
{
    folder_.remove(task.sha256);
}

} // namespace sdfleet::coordinator
