using System.Text.Json.Nodes;
using Hami.Lab.ApiServer;
using k8s;
using k8s.Models;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>A list is the state of one moment, however many pages it comes in.</summary>
public sealed class ApiServerLists
{
    private const string Maps = "/api/v1/namespaces/hami/configmaps";

    [Fact]
    public async Task All_pages_are_of_the_moment_of_the_first()
    {
        await using var lab = await WithMaps();
        var (_, page) = await lab.Send("GET", $"{Maps}?limit=2");
        var revision = Revision(page!);
        Assert.Equal(("m0 m1", 4), (Names(page!), (int)page!["metadata"]!["remainingItemCount"]!));
        await lab.Send("DELETE", $"{Maps}/m3");
        await Create(lab, "m2-new");
        await lab.Send("PATCH", $"{Maps}/m4", """{"data":{"a":"changed"}}""", "application/merge-patch+json");

        var names = new List<string>();
        while ((string?)page!["metadata"]!["continue"] is { } next)
        {
            (_, page) = await lab.Send("GET", $"{Maps}?limit=2&continue={next}");
            Assert.Equal(revision, Revision(page!));
            names.Add(Names(page!));
            Assert.All(page!["items"]!.AsArray(), i => Assert.Equal("first", (string?)i!["data"]!["a"]));
        }
        Assert.Equal(["m2 m3", "m4 m5"], names);
        // A watch from the list's revision tells what the pages did not.
        var seen = new List<string>();
        await foreach (var (type, map) in lab.Watch($"{Maps}?watch=true&timeoutSeconds=1&resourceVersion={revision}", Cancellation))
            seen.Add($"{type} {map["metadata"]!["name"]}");
        Assert.Equal(["DELETED m3", "ADDED m2-new", "MODIFIED m4"], seen);
    }

    [Fact]
    public async Task A_page_of_a_forgotten_moment_is_gone_and_says_how_to_go_on_from_now()
    {
        await using var lab = await WithMaps();
        var (_, page) = await lab.Send("GET", $"{Maps}?limit=2");
        await Create(lab, "m2-new");
        lab.Server.Compact();
        var (code, gone) = await lab.Send("GET", $"{Maps}?limit=2&continue={page!["metadata"]!["continue"]}");
        Assert.Equal((410, "Expired"), (code, (string)gone!["reason"]!));
        Assert.StartsWith("The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token "
            + "in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list", (string)gone["message"]!, StringComparison.Ordinal);
        var (_, rest) = await lab.Send("GET", $"{Maps}?limit=2&continue={gone["metadata"]!["continue"]}");
        Assert.Equal("m2 m2-new", Names(rest!));
    }

    [Fact]
    public async Task A_list_can_be_taken_exactly_at_a_revision_or_no_older_than_it()
    {
        await using var lab = await WithMaps();
        var (_, then) = await lab.Send("GET", Maps);
        await lab.Send("DELETE", $"{Maps}/m3");
        var (_, now) = await lab.Send("GET", Maps);
        var (_, exact) = await lab.Send("GET", $"{Maps}?resourceVersion={Revision(then!)}&resourceVersionMatch=Exact");
        Assert.Equal((Names(then!), Revision(then!)), (Names(exact!), Revision(exact!)));
        // Before the match could be said, a limit meant exactly.
        var (_, legacy) = await lab.Send("GET", $"{Maps}?resourceVersion={Revision(then!)}&limit=10");
        Assert.Equal(Names(then!), Names(legacy!));
        foreach (var query in (string[])[$"?resourceVersion={Revision(then!)}&resourceVersionMatch=NotOlderThan", $"?resourceVersion={Revision(then!)}", "?resourceVersion=0"])
            Assert.Equal(Names(now!), Names((await lab.Send("GET", Maps + query)).Body!));
        lab.Server.Compact();
        var (code, gone) = await lab.Send("GET", $"{Maps}?resourceVersion={Revision(then!)}&resourceVersionMatch=Exact");
        Assert.Equal((410, "The resourceVersion for the provided list is too old."), (code, (string)gone!["message"]!));
    }

    [Fact]
    public async Task A_history_is_bounded_and_a_watcher_that_nothing_concerned_still_follows()
    {
        await using var lab = await Running(new() { HistoryWindow = 10 });
        var first = await lab.Create(Pod("quiet", node: "n1"));
        var seen = new List<string>();
        var watching = Task.Run(async () =>
        {
            await foreach (var (type, pod) in lab.Watch($"/api/v1/pods?watch=true&resourceVersion={first.ResourceVersion()}&fieldSelector=spec.nodeName%3Dn1", Cancellation))
            {
                seen.Add($"{type} {pod["metadata"]!["name"]}");
                if (seen.Count == 2)
                    return;
            }
        }, Cancellation);
        await lab.Send("PATCH", "/api/v1/namespaces/default/pods/quiet", """{"metadata":{"labels":{"a":"1"}}}""", "application/merge-patch+json");
        await lab.Create(Pod("busy"));
        for (var i = 0; i < 100; i++)
            await lab.Send("PATCH", "/api/v1/namespaces/default/pods/busy", "{\"metadata\":{\"labels\":{\"i\":\"" + i + "\"}}}", "application/merge-patch+json");
        Assert.InRange(lab.Server.Store.Everything(Resources.Pods).Length, 10, 20);
        await lab.Send("PATCH", "/api/v1/namespaces/default/pods/quiet", """{"metadata":{"labels":{"a":"2"}}}""", "application/merge-patch+json");
        await watching.WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
        Assert.Equal(["MODIFIED quiet", "MODIFIED quiet"], seen);
    }

    private static async Task<ApiServerGiven> WithMaps()
    {
        var lab = await Running();
        await lab.Send("DELETE", $"{Maps}/kube-root-ca.crt");
        for (var i = 0; i < 6; i++)
            await Create(lab, $"m{i}");
        return lab;
    }

    private static async Task Create(ApiServerGiven lab, string name) => await lab.Send("POST", Maps, "{\"metadata\":{\"name\":\"" + name + "\"},\"data\":{\"a\":\"first\"}}");

    private static string Names(JsonNode list) => string.Join(' ', list["items"]!.AsArray().Select(i => (string?)i!["metadata"]!["name"]));

    private static string Revision(JsonNode list) => (string)list["metadata"]!["resourceVersion"]!;
}
