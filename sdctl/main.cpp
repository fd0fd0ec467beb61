// SPDX-License-Identifier: Apache-2.0
#include "sdctl/application.hpp"

int main(int argc, char** argv)
{
    return sdfleet::sdctl::run_application(argc, argv);
}
