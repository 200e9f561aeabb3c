using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Settings;

namespace Hami.Tests.Registering;

/// <summary>HAMi's device configuration, its per-node configuration, and the flags over both.</summary>
[Trait("Scoreboard", "F09")]
public sealed class ReadingTheNodesSettings : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("hami");

    [Fact]
    [Trait("Scoreboard", "E12")]
    [Trait("Scoreboard", "F09")]
    public void Case_12_the_entry_of_this_node_counts_over_what_is_said_of_all()
    {
        var all = DeviceYaml.Parse("nvidia: { deviceSplitCount: 1, deviceMemoryScaling: 1.0, deviceCoreScaling: 1.0, libCudaLogLevel: 0 }", "y");
        const string json = """
            {"nodeconfig":[{"name":"other","devicesplitcount":7,"devicememoryscaling":9},
                           {"name":"node-1","devicesplitcount":3,"devicememoryscaling":0.8,"devicecorescaling":1.4,"libcudaloglevel":"3"}]}
            """;

        Assert.Equal((3, 0.8, 1.4, "3"), Numbers(NodeJson.Parse(json, "node-1", "j").Over(all)));
        Assert.Equal((1, 1, 1, "0"), Numbers(NodeJson.Parse(json, "node-2", "j").Over(all)));
        Assert.Equal((7, 9, 1, "0"), Numbers(NodeJson.Parse(json, "other", "j").Over(all)));
    }

    [Fact]
    [Trait("Scoreboard", "F14")]
    [Trait("Scoreboard", "F16")]
    public void Case_13_an_explicit_false_or_zero_of_the_node_wins()
    {
        var all = new NodeSettings { NumaTopology = true, PreConfiguredMemoryMiB = 131072, LibCudaLogLevel = "1" };
        var node = NodeJson.Parse("""{"nodeconfig":[{"name":"n","enablenumatopology":false,"preconfigureddevicememory":0,"libcudaloglevel":0,"enablegetpreferredallocation":false}]}""", "n", "j").Over(all);
        Assert.Equal((false, 0, "0", false), (node.NumaTopology, node.PreConfiguredMemoryMiB, node.LibCudaLogLevel, node.PreferredAllocation));
    }

    [Fact]
    public void Zero_is_no_split_count_and_no_scaling_so_it_says_nothing_as_in_HAMi() =>
        Assert.Equal((7, 1.5, 2, null), Numbers(NodeJson.Parse("""{"nodeconfig":[{"name":"n","devicesplitcount":0,"devicememoryscaling":0,"devicecorescaling":0}]}""", "n", "j")
            .Over(new() { SplitCount = 7, MemoryScaling = 1.5, CoreScaling = 2 })));

    [Theory]
    [InlineData("\"4\"", "4")]
    [InlineData("4", "4")]
    [InlineData("\"\"", null)]
    [InlineData("null", null)]
    public void The_log_level_is_a_text_or_a_number(string json, string? level) =>
        Assert.Equal(level, NodeJson.Parse($$"""{"nodeconfig":[{"name":"n","libcudaloglevel":{{json}}}]}""", "n", "j").LibCudaLogLevel);

    [Fact]
    public void Of_several_entries_of_one_node_the_later_counts_where_it_says_something()
    {
        var entry = NodeJson.Parse("""
            {"nodeconfig":[{"name":"n","operatingmode":"mig","devicesplitcount":3,"filterdevices":{"uuid":["GPU-1"],"index":[2]}},
                           {"name":"n","devicesplitcount":4,"operatingmode":"","migstrategy":"mixed","filterdevices":null}]}
            """, "n", "j");
        Assert.Equal(("mig", 4, MigStrategy.Mixed), (entry.OperatingMode, entry.SplitCount, entry.MigStrategy));
        Assert.Equal(new HiddenCards(["GPU-1"], [2]), entry.Hidden);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"nodeconfig\":[{\"name\":\"n\",")]
    [InlineData("[]")]
    [InlineData("{\"nodeconfig\":{}}")]
    [InlineData("{\"nodeconfig\":[{\"name\":\"n\",\"devicesplitcount\":-1}]}", "devicesplitcount of node n is -1; write a whole number")]
    [InlineData("{\"nodeconfig\":[{\"name\":\"n\",\"devicesplitcount\":1001}]}", "devicesplitcount of node n is 1001")]
    [InlineData("{\"nodeconfig\":[{\"name\":\"n\",\"devicememoryscaling\":\"1\"}]}", "devicememoryscaling of node n is \"1\"; write a number above 0")]
    [InlineData("{\"nodeconfig\":[{\"name\":\"n\",\"operatingmode\":\"vgpu\"}]}", "write hami-core or mig or mps")]
    [InlineData("{\"nodeconfig\":[{\"name\":\"n\",\"enablenumatopology\":\"yes\"}]}", "write true or false")]
    [InlineData("{\"nodeconfig\":[{\"name\":\"n\",\"migstrategy\":\"all\"}]}", "write none or single or mixed")]
    [InlineData("{\"nodeconfig\":[{\"name\":\"n\",\"filterdevices\":[\"GPU-1\"]}]}", "filterdevices of node n")]
    [InlineData("{\"nodeconfig\":[{\"name\":\"n\",\"filterdevices\":{\"index\":[\"1\"]}}]}", "write a list of cards' indices")]
    public void A_bad_node_configuration_is_one_sentence_that_says_where(string json, string says = "node configuration config.json")
    {
        var sentence = Assert.Throws<SettingsException>(() => NodeJson.Parse(json, "n", "config.json")).Message;
        Assert.Contains(says, sentence, StringComparison.Ordinal);
        Assert.Contains("config.json", sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void A_slip_in_the_entry_of_another_node_is_not_ours() =>
        Assert.Equal(3, NodeJson.Parse("""{"nodeconfig":[{"name":"m","devicesplitcount":"many"},{"name":"n","devicesplitcount":3},7]}""", "n", "j").SplitCount);

    [Fact]
    public void The_device_configuration_that_HAMis_chart_makes_is_read()
    {
        var settings = DeviceYaml.Parse("""
            nvidia:
              resourceCountName: nvidia.com/gpu
              resourceMemoryName: nvidia.com/gpumem
              overwriteEnv: false
              defaultMemory: 0
              preConfiguredDeviceMemory: 131072
              deviceSplitCount: 20
              deviceMemoryScaling: 1.5
              deviceCoreScaling: 2
              enableNumaTopology: true
              disableCoreLimit: true
              gpuCorePolicy: default
              libCudaLogLevel: 1
              runtimeClassName: ""
              migProfileAllowlist:
                - models: [ "H100 80GB HBM3" ]
                  profiles: [ 1g.10gb, 7g.80gb ]
            cambricon:
              resourceCountName: 17
            hygon: [ nonsense ]
            flags: { migStrategy: mixed }
            """, "device-config.yaml");

        Assert.Equal(
            new NodeSettings
            {
                SplitCount = 20, MemoryScaling = 1.5, CoreScaling = 2, PreConfiguredMemoryMiB = 131072, LibCudaLogLevel = "1", NumaTopology = true, DisableCoreLimit = true,
                MigStrategy = MigStrategy.Mixed, MigProfiles = new([new(["H100 80GB HBM3"], ["1g.10gb", "7g.80gb"])]),
            },
            settings);
    }

    [Theory]
    [InlineData("nvidia:")]
    [InlineData("nvidia: {}")]
    [InlineData("cambricon: {}")]
    [InlineData("nvidia: { deviceSplitCount: null, deviceMemoryScaling: , libCudaLogLevel: ~ }")]
    public void Keys_that_are_missing_keep_what_HAMi_ships(string yaml) => Assert.Equal(new NodeSettings(), DeviceYaml.Parse(yaml, "y"));

    [Theory]
    [InlineData("", "configures no vendor")]
    [InlineData("nvidia: [", "is not YAML at line")]
    [InlineData("nvidia: [1]", "nvidia is of another kind; write a mapping")]
    [InlineData("nvidia:\n  deviceSplitCount: 0", "In line 2 of the device configuration y.yaml nvidia.deviceSplitCount is \"0\"; write a whole number from 1 to 1000.")]
    [InlineData("nvidia: { deviceMemoryScaling: -1 }", "write a number above 0")]
    [InlineData("nvidia: { deviceCoreScaling: [1] }", "write a text")]
    [InlineData("nvidia: { enableNumaTopology: maybe }", "write true or false")]
    [InlineData("nvidia: { resourceCountName: gpu }", "a name such as nvidia.com/gpu")]
    [InlineData("nvidia: { migProfileAllowlist: [{models: [A30]}] }", "migProfileAllowlist.profiles")]
    [InlineData("nvidia: { migProfileAllowlist: [{models: [A30], profiles: [1gb]}] }", "\"1gb\"; write NVML's names such as 1g.10gb")]
    [InlineData("nvidia: { migProfileAllowlist: [{models: [A30], profiles: [g.1gb]}] }", "\"g.1gb\"")]
    [InlineData("flags: { migStrategy: all }\nnvidia: {}", "write none, single or mixed")]
    public void A_bad_device_configuration_is_one_sentence_that_says_where(string yaml, string says)
    {
        var sentence = Assert.Throws<SettingsException>(() => DeviceYaml.Parse(yaml, "y.yaml")).Message;
        Assert.Contains(says, sentence, StringComparison.Ordinal);
        Assert.Contains("y.yaml", sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void A_flag_counts_before_the_nodes_entry_before_all_nodes_before_what_HAMi_ships()
    {
        var files = Files(new() { SplitCount = 5 });
        Yaml("nvidia: { deviceSplitCount: 2, deviceMemoryScaling: 2, deviceCoreScaling: 2 }");
        Json("""{"nodeconfig":[{"name":"node-1","devicesplitcount":3,"devicememoryscaling":3}]}""");

        Assert.Equal((5, 3, 2, null), Numbers(files.Read()));
    }

    [Fact]
    public void A_flag_may_say_no_where_a_file_says_yes() =>
        Assert.False(new GivenSettings { DisableCoreLimit = false }.Over(new() { DisableCoreLimit = true }).DisableCoreLimit);

    [Fact]
    public void Case_14_a_file_that_became_unusable_counts_as_it_last_was_until_it_is_mended()
    {
        var files = Files();
        Yaml("nvidia: { deviceSplitCount: 2 }");
        Json("""{"nodeconfig":[{"name":"node-1","operatingmode":"mig","filterdevices":{"index":[1]}}]}""");
        Assert.Equal((2, "mig"), (files.Read().SplitCount, files.Read().OperatingMode));

        Json("{");
        Yaml("nvidia: { deviceSplitCount: 4 }");
        Assert.Equal((4, "mig"), (files.Read().SplitCount, files.Read().OperatingMode));
        Assert.Contains("is not JSON", files.Faults.Single(), StringComparison.Ordinal);

        Json("{}");
        Yaml("nvidia: [");
        Assert.Equal((4, null, HiddenCards.None), (files.Read().SplitCount, files.Read().OperatingMode, files.Read().Hidden));
        Assert.Contains("is not YAML", files.Faults.Single(), StringComparison.Ordinal);

        Yaml("nvidia: {}");
        Assert.Equal((10, 0), (files.Read().SplitCount, files.Faults.Count));
    }

    [Fact]
    public void Case_14_a_node_configuration_that_is_unusable_from_the_start_counts_as_none_and_is_told()
    {
        var files = Files();
        Yaml("nvidia: { deviceSplitCount: 2 }");
        Json("{");
        Assert.Equal((2, null, 1), (files.Read().SplitCount, files.Read().OperatingMode, files.Faults.Count));
    }

    [Fact]
    public void A_device_configuration_that_is_unusable_from_the_start_is_told_at_once()
    {
        var files = Files();
        Assert.Contains("give --config-file a readable file", Assert.Throws<SettingsException>(files.Read).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, 1)]
    public void A_node_configuration_that_is_not_there_is_a_fault_only_where_somebody_named_it(bool mayBeMissing, int faults)
    {
        Yaml("nvidia: {}");
        var files = Files(mayBeMissing: mayBeMissing);
        Assert.Equal((10, faults), (files.Read().SplitCount, files.Faults.Count));
    }

    public void Dispose() => folder.Delete(recursive: true);

    private void Yaml(string text) => File.WriteAllText(Path.Combine(folder.FullName, "device-config.yaml"), text);

    private void Json(string text) => File.WriteAllText(Path.Combine(folder.FullName, "config.json"), text);

    private SettingsFiles Files(GivenSettings? given = null, bool mayBeMissing = false) => new(new()
    {
        NodeName = "node-1",
        ConfigFile = Path.Combine(folder.FullName, "device-config.yaml"),
        NodeConfigFile = Path.Combine(folder.FullName, "config.json"),
        NodeConfigMayBeMissing = mayBeMissing,
        Given = given ?? GivenSettings.None,
    });

    private static (int, double, double, string?) Numbers(NodeSettings s) => (s.SplitCount, s.MemoryScaling, s.CoreScaling, s.LibCudaLogLevel);
}
