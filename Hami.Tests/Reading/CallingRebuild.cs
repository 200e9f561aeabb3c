using System.Text.Json.Nodes;
using Hami.Api.Reading;
using Hami.Tests.Given;

namespace Hami.Tests.Reading;

/// <summary><c>hami-api rebuild</c> as it is called.</summary>
public sealed class CallingRebuild
{
    [Fact]
    public async Task It_says_what_is_in_force_and_how_much_was_folded_for_people_and_for_programs()
    {
        await using var scene = await ReadScene.StartAsync();
        await scene.WriteAsync(new AnyLog(41, 60).Events);
        var (events, last) = (await scene.ScalarAsync<long>("select count(*) from hami.mt_events"), await scene.ScalarAsync<long>("select max(seq_id) from hami.mt_events"));

        var (code, text, _) = await CallAsync(scene.Journal.Database.ConnectionString);
        var (alsoCode, json, _) = await CallAsync(scene.Journal.Database.ConnectionString, "--json");

        Assert.Equal((0, 0), (code, alsoCode));
        Assert.Matches($@"^Generation 2 of the read models is in force: {events} events folded in \d+\.\d s\.$", text.TrimEnd());
        var built = JsonNode.Parse(json)!.AsObject();
        Assert.Equal(["generation", "events", "position", "seconds"], built.Select(m => m.Key));
        Assert.Equal((3, events, last), ((int)built["generation"]!, (long)built["events"]!, (long)built["position"]!));
        Assert.Equal(3, await scene.ScalarAsync<int>($"select generation from {ReadTables.Head}"));
        Assert.Equal(await scene.FoldedTextAsync(), await scene.RowsAsync());
    }

    [Fact]
    public async Task What_cannot_be_rebuilt_leaves_what_is_in_force_and_is_said()
    {
        var (code, text, error) = await CallAsync("Host=127.0.0.1;Port=1;Timeout=2");

        Assert.Equal((1, ""), (code, text));
        Assert.StartsWith("The read models in force stay as they are: ", error, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output, string Error)> CallAsync(string postgres, params string[] flags)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var code = await Hami.Api.CommandLine.Create().Parse(["rebuild", "--postgres", postgres, .. flags]).InvokeAsync(new() { Output = output, Error = error });
        return (code, output.ToString(), error.ToString());
    }
}
