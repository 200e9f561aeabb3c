using System.CommandLine;
using Hami.Bench.Agent;
using Hami.Bench.Filter;
using Hami.Bench.History;
using Hami.Bench.Interceptor;
using Hami.Bench.Journaling;
using Hami.Bench.Placement;
using Hami.Bench.Telemetry;
using Hami.Bench.Throughput;

// Each verb measures one thing and lives in a folder of its own; `--json` prints one line for machines.
var bench = new RootCommand("Benchmarks of HAMi on events; results are kept in docs/benchmarks.md.")
{
    AgentVerb.Command(),
    FilterVerb.Command(),
    HistoryVerb.Command(),
    InterceptorVerb.Command(),
    JournalVerb.Command(),
    PlacementVerb.Command(),
    TelemetryVerb.Command(),
    ThroughputVerb.Command(),
    AgentsVerb.Command(),
};
return await bench.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(60) });
