using System.CommandLine;
using Hami.Lab.Cluster;
using Hami.Lab.Demo;

var lab = new RootCommand("A cluster with simulated GPUs on this machine; `./hami` is its door.")
{
    DemoVerb.Command(),
    UpVerb.Command(),
    DownVerb.Command(),
    StatusVerb.Command(),
    SchedulerConfigVerb.Command(),
    ServeVerb.Command(),
};
// Stopping a cluster takes longer than the two seconds that System.CommandLine grants after Ctrl+C.
return await lab.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(60) });
