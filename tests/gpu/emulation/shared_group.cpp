// SPDX-License-Identifier: Apache-2.0
#include "shared_group.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace sdfleet::emulation {

bool SharedGroup::create(const std::string& name)
{
    const int file = ::shm_open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
    const bool created = file >= 0 && ::ftruncate(file, sizeof(SharedGroup)) == 0;
    ::close(file);
    return created;
}

SharedGroup* SharedGroup::open(const std::string& name)
{
    const int file = ::shm_open(name.c_str(), O_RDWR, 0600);
    void* memory = ::mmap(nullptr, sizeof(SharedGroup), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    return memory == MAP_FAILED ? nullptr : static_cast<SharedGroup*>(memory);
}

void SharedGroup::close()
{
    ::munmap(this, sizeof(SharedGroup));
}

void SharedGroup::forget(const std::string& name)
{
    ::shm_unlink(name.c_str());
}

} // namespace sdfleet::emulation
