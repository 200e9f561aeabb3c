using System.Text.Json.Nodes;
using k8s;
using Microsoft.Extensions.Time.Testing;
using Hami.Lab.ApiServer;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>Lines for people: the tables behind <c>kubectl get</c>.</summary>
public sealed class ApiServerTables
{
    private const string AsTable = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";

    [Theory]
    [InlineData("""{"phase":"Running","containerStatuses":[{"ready":true,"restartCount":0,"state":{"running":{}}}]}""", "1/1 Running 0")]
    [InlineData("""{"phase":"Running","containerStatuses":[{"restartCount":3,"state":{"waiting":{"reason":"CrashLoopBackOff"}}}]}""", "0/1 CrashLoopBackOff 3")]
    [InlineData("""{"phase":"Succeeded","containerStatuses":[{"restartCount":0,"state":{"terminated":{"exitCode":0,"reason":"Completed"}}}]}""", "0/1 Completed 0")]
    [InlineData("""{"phase":"Failed","containerStatuses":[{"restartCount":0,"state":{"terminated":{"exitCode":1,"reason":"Error"}}}]}""", "0/1 Error 0")]
    [InlineData("""{"phase":"Failed","reason":"UnexpectedAdmissionError"}""", "0/1 UnexpectedAdmissionError 0")]
    [InlineData("""{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"SchedulingGated"}]}""", "0/1 SchedulingGated 0")]
    [InlineData("""{"phase":"Pending","initContainerStatuses":[{"restartCount":0,"state":{"running":{}}}]}""", "0/1 Init:0/0 0")]
    public async Task A_pods_state_is_summed_up_in_one_word(string status, string line)
    {
        await using var lab = await Running();
        await lab.Create(Pod("p"));
        await lab.Send("PATCH", "/api/v1/namespaces/default/pods/p/status", "{\"status\":" + status + "}", "application/merge-patch+json");
        var (_, table) = await lab.Send("GET", "/api/v1/namespaces/default/pods", accept: AsTable);
        Assert.Equal("Table", (string)table!["kind"]!);
        var cells = table["rows"]![0]!["cells"]!.AsArray();
        Assert.Equal(table["columnDefinitions"]!.AsArray().Count, cells.Count);
        Assert.Equal(line, $"{cells[1]} {cells[2]} {cells[3]}");
    }

    [Fact]
    public async Task Ages_are_told_by_the_servers_clock()
    {
        var clock = new FakeTimeProvider();
        await using var lab = await Running(new LabApiServerOptions { Time = clock });
        await lab.Create(Pod("p"));
        foreach (var (after, age) in new[] { (0, "0s"), (119, "119s"), (120, "2m"), (601, "10m"), (3 * 3600, "3h"), (30 * 3600, "30h"), (9 * 86400, "9d") })
        {
            clock.SetUtcNow(clock.Start.AddSeconds(after));
            var (_, table) = await lab.Send("GET", "/api/v1/namespaces/default/pods/p", accept: AsTable);
            Assert.Equal(age, (string)table!["rows"]![0]!["cells"]![4]!);
        }
    }

    [Fact]
    public async Task A_watched_table_names_its_columns_once()
    {
        await using var lab = await Running();
        await lab.Create(Pod("a"));
        await lab.Create(Pod("b"));
        lab.Raw.DefaultRequestHeaders.TryAddWithoutValidation("Accept", AsTable);
        var columns = new List<JsonNode?>();
        await foreach (var (_, table) in lab.Watch("/api/v1/namespaces/default/pods?watch=true&timeoutSeconds=1", Cancellation))
            columns.Add(table["columnDefinitions"]);
        Assert.NotNull(columns[0]);
        Assert.Null(columns[1]);
    }
}
