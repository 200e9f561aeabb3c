using System.CommandLine;
using System.Text.Json;
using Hami.Bench.Placement;

namespace Hami.Tests.Bench;

public sealed class PlacementOnATrace : IDisposable
{
    private const string NodeColumns = "sn,cpu_milli,memory_mib,gpu,model";
    private const string PodColumns = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time";

    private readonly string _directory = Directory.CreateTempSubdirectory("hami-trace-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("binpack")]
    [InlineData("spread")]
    [InlineData("fragmentation")]
    [InlineData("fragmentation-learned")]
    public void Pods_that_leave_no_gap_fill_the_cluster(string policy)
    {
        var found = Policies(Nodes("n1,64000,262144,2,T4", "n2,64000,262144,2,T4"), Pods("a,1000,1024,1,1000,,,,,,", "b,1000,1024,1,1000,,,,,,"), policy).Single();

        Assert.Equal(policy, found.GetProperty("policy").GetString());
        foreach (var name in new[] { "meanAt100", "minAt100", "maxAt100", "meanAt130" })
            Assert.Equal(100, found.GetProperty(name).GetDouble());
        Assert.True(found.GetProperty("msPerDecision").GetDouble() >= 0);
    }

    [Fact]
    public void Several_policies_are_measured_in_the_order_asked() =>
        Assert.Equal(
            ["spread", "fragmentation"],
            Policies(Nodes("n1,64000,262144,2,T4"), Pods("a,1000,1024,1,500,,,,,,"), "spread,fragmentation").Select(p => p.GetProperty("policy").GetString()));

    [Fact]
    public void A_pod_takes_only_models_it_names()
    {
        // Half of the cards may be used by nobody.
        var found = Policies(Nodes("n1,64000,262144,1,T4", "n2,64000,262144,1,P100"), Pods("a,1000,1024,1,1000,T4|V100,,,,,"), "fragmentation,binpack");

        Assert.All(found, p => Assert.Equal(50, p.GetProperty("meanAt130").GetDouble()));
    }

    [Theory]
    [InlineData("1000,262144", "1000,1024")] // one core for two pods of one core each
    [InlineData("64000,1024", "1000,1024")] // host memory likewise
    public void A_node_whose_cpu_or_memory_is_used_up_takes_no_more(string host, string asked)
    {
        var found = Policies(Nodes($"n1,{host},2,T4"), Pods($"a,{asked},1,1000,,,,,,"), "fragmentation,binpack,spread");

        Assert.All(found, p => Assert.Equal(50, p.GetProperty("meanAt130").GetDouble()));
    }

    [Fact]
    public void Pods_without_cards_take_cpu_and_are_kept_from_nodes_with_idle_cards()
    {
        var found = Policies(
            Nodes("n1,8000,65536,8,T4", "n2,128000,262144,0,"), Pods("a,1000,1024,1,1000,,,,,,", "b,6000,1024,0,0,,,,,,"), "fragmentation", seeds: 5).Single();

        Assert.Equal(100, found.GetProperty("meanAt130").GetDouble());
    }

    [Fact]
    public void One_seed_gives_one_order_and_another_seed_another()
    {
        var pods = Enumerable.Range(0, 50).Select(i => new TracePod($"p{i:00}", 0, 0, 1, 100, [])).ToList();

        Assert.Equal(Names(1), Names(1));
        Assert.NotEqual(Names(1), Names(2));
        Assert.Equal(130, Names(1).Count);
        Assert.Equal(pods.Select(p => p.Name), Names(1).Take(50).Order());

        List<string> Names(int seed) => [.. Arrivals.Of(pods, 10_000, seed).Select(p => p.Name)];
    }

    [Fact]
    public void People_get_a_table()
    {
        var (code, output, _) = Run("--nodes", Nodes("n1,64000,262144,2,T4"), "--pods", Pods("a,1000,1024,1,1000,,,,,,"), "--seeds", "2");

        Assert.Equal(0, code);
        Assert.Contains("fragmentation", output, StringComparison.Ordinal);
        Assert.Contains("100.00", output, StringComparison.Ordinal);
        Assert.Contains("mean of 2 seeds", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("n1,64000,262144,two,T4", "a,1,1,1,1000,,,,,,", "nodes.csv, line 2: gpu is 'two', but it must be a whole number from 0 to 1024.")]
    [InlineData("n1,64000,262144,-1,T4", "a,1,1,1,1000,,,,,,", "nodes.csv, line 2: gpu is '-1', but it must be a whole number from 0 to 1024.")]
    [InlineData("n1,64000,,2,T4", "a,1,1,1,1000,,,,,,", "nodes.csv, line 2: memory_mib is '', but it must be a whole number from 0 on.")]
    [InlineData("n1,64000,1,2", "a,1,1,1,1000,,,,,,", "nodes.csv, line 2: model is missing.")]
    [InlineData("n1,1,1,1,T4\nn1,1,1,1,T4", "a,1,1,1,1000,,,,,,", "nodes.csv, line 3: sn is 'n1', but it must name a node that no line before names.")]
    [InlineData("n1,1,1,0,", "a,1,1,1,1000,,,,,,", "nodes.csv has no node with cards, so there is nothing to fill.")]
    [InlineData("", "a,1,1,1,1000,,,,,,", "nodes.csv has no line below its header.")]
    [InlineData("n1,1,1,1,T4", "a,1,1,1,1001,,,,,,", "pods.csv, line 2: gpu_milli is '1001', but it must be a whole number from 0 to 1000.")]
    [InlineData("n1,1,1,1,T4", "a,1,1,1,0,,,,,,", "pods.csv, line 2: gpu_milli is '0', but a pod with cards needs 1 to 1000 of each.")]
    [InlineData("n1,1,1,1,T4", "a,1,1,2,500,,,,,,", "pods.csv, line 2: gpu_milli is '500', but a pod with several cards takes them whole, 1000 of each.")]
    [InlineData("n1,1,1,1,T4", "a,1,1,0,0,,,,,,", "pods.csv has no pod that asks for a card, so there is nothing to measure.")]
    [InlineData("n1,1,1,1,T4", "\"a\"b,1,1,0,0,,,,,,", "pods.csv, line 2: the quotation marks do not match.")]
    public void A_list_that_is_wrong_says_where_and_how_to_mend_it(string nodes, string pods, string because)
    {
        var (code, output, error) = Run("--nodes", Nodes(nodes), "--pods", Pods(pods), "--json");

        Assert.Equal(2, code);
        Assert.Empty(output);
        Assert.EndsWith(because, error.Trim(), StringComparison.Ordinal);
        Assert.Single(error.Trim().Split('\n'));
    }

    [Theory]
    [InlineData("--policy", "best", "--policy best: choose from fragmentation, fragmentation-learned, binpack, spread, with commas between.")]
    [InlineData("--policy", ",", "--policy ,: choose from fragmentation, fragmentation-learned, binpack, spread, with commas between.")]
    [InlineData("--seeds", "0", "--seeds 0: it must be 1 to 1000.")]
    public void A_wrong_option_says_how_to_mend_it(string option, string value, string because)
    {
        var (code, _, error) = Run("--nodes", Nodes("n1,1,1,1,T4"), "--pods", Pods("a,1,1,1,1000,,,,,,"), option, value);

        Assert.Equal(2, code);
        Assert.Equal(because, error.Trim());
    }

    [Fact]
    public void A_list_that_is_not_there_or_of_another_kind_is_named()
    {
        var nodes = Nodes("n1,1,1,1,T4");
        var missing = Path.Combine(_directory, "none.csv");

        Assert.StartsWith($"{missing} cannot be read: ", Run("--nodes", nodes, "--pods", missing).Error, StringComparison.Ordinal);
        Assert.StartsWith($"{nodes} has no column name; its first line must name the columns name, cpu_milli,", Run("--nodes", nodes, "--pods", nodes).Error, StringComparison.Ordinal);
        Assert.StartsWith($"{Write("empty.csv", "")} is empty;", Run("--nodes", nodes, "--pods", Path.Combine(_directory, "empty.csv")).Error, StringComparison.Ordinal);
    }

    private static List<JsonElement> Policies(string nodes, string pods, string policies, int seeds = 2)
    {
        var (code, output, error) = Run("--nodes", nodes, "--pods", pods, "--policy", policies, "--seeds", $"{seeds}", "--json");
        Assert.True(code == 0, error);
        Assert.Single(output.Trim().Split('\n'));
        return [.. JsonDocument.Parse(output).RootElement.GetProperty("policies").EnumerateArray()];
    }

    private static (int Code, string Output, string Error) Run(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = PlacementVerb.Command().Parse(args).Invoke(new InvocationConfiguration { Output = output, Error = error });
        return (code, output.ToString(), error.ToString());
    }

    private string Nodes(params string[] lines) => Write("nodes.csv", string.Join('\n', [NodeColumns, .. lines]));

    private string Pods(params string[] lines) => Write("pods.csv", string.Join('\n', [PodColumns, .. lines]));

    private string Write(string name, string text)
    {
        var file = Path.Combine(_directory, name);
        File.WriteAllText(file, text);
        return file;
    }
}
