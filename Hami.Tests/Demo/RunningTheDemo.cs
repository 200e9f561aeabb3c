using System.Diagnostics;
using Hami.Lab.Cluster;
using Hami.Lab.Demo;
using Hami.Tests.Given;

namespace Hami.Tests.Demo;

public sealed class RunningTheDemo
{
    [Fact]
    public async Task Every_workload_of_the_article_comes_to_what_it_should()
    {
        await using var cluster = await TestCluster.StartAsync(nodes: DemoVerb.Nodes);
        var report = await new DemoRun(cluster.Lab, TestContext.Current.SendDiagnosticMessage).RunAsync(Stopwatch.StartNew(), TestContext.Current.CancellationToken);
        Assert.True(report.Ok, report.ToJson());
    }
}
