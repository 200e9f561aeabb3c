using Hami.Api.Plumbing;
using Hami.Domain.Protocol;

namespace Hami.Tests.Plumbing;

/// <summary>HAMi's <c>device-config.yaml</c>, as its chart mounts it.</summary>
public sealed class ReadingTheDeviceConfiguration
{
    // The keys of the file HAMi's chart makes, with values that are not the shipped ones.
    private const string Everything =
        """
        nvidia:
          resourceCountName: "example.com/gpu"
          resourceMemoryName: "example.com/gpumem"
          resourceMemoryPercentageName: example.com/gpumem-percentage
          resourceCoreName: example.com/gpucores
          resourcePriorityName: example.com/priority
          overwriteEnv: true
          defaultMemory: 512
          defaultCores: 20
          defaultGPUNum: 2
          memoryFactor: 4
          deviceSplitCount: 10
          deviceMemoryScaling: 1
          deviceCoreScaling: 1.5
          gpuCorePolicy: force
          libCudaLogLevel: 1
          runtimeClassName: "nvidia"
          someNewKey: { a: [1, 2] }
          migProfileAllowlist:
            - models: [ "H100" ]
              profiles: [ "1g.10gb", "1g.10gb+me" ]
        cambricon:
          resourceCountName: cambricon.com/vmlu
        vnpus:
        - chipName: 910A
        """;

    [Fact]
    public void Every_key_of_the_NVIDIA_section_is_read_and_everything_else_may_stand_there()
    {
        var config = DeviceConfigFile.Parse(Everything);

        Assert.Equal(
            NvidiaConfig.Hami with
            {
                ResourceNames = new("example.com/gpu", "example.com/gpumem", "example.com/gpumem-percentage", "example.com/gpucores", "example.com/priority"),
                OverwriteEnv = true, DefaultMemoryMiB = 512, DefaultCores = 20, DefaultGpuCount = 2, MemoryFactor = 4,
                GpuCorePolicy = GpuCorePolicy.Force, RuntimeClassName = "nvidia", MigProfileAllowlist = config.MigProfileAllowlist,
            },
            config);
        var only = Assert.Single(config.MigProfileAllowlist);
        Assert.Equal(["H100"], only.Models);
        Assert.Equal(["1g.10gb", "1g.10gb+me"], only.Profiles);
    }

    [Theory]
    [InlineData("nvidia: {}")]
    [InlineData("nvidia:")]
    [InlineData("cambricon: { resourceCountName: cambricon.com/vmlu }")]
    [InlineData("nvidia: { runtimeClassName: , memoryFactor: 0, gpuCorePolicy: default, migProfileAllowlist: ~ }")]
    public void What_is_not_said_is_as_HAMi_ships_it(string yaml) => Assert.Equal(NvidiaConfig.Hami, DeviceConfigFile.Parse(yaml));

    [Theory]
    [InlineData("", "configures no vendor")]
    [InlineData("- nvidia", "configures no vendor")]
    [InlineData("nvidia: yes please", "line 1: nvidia is \"yes please\", expected is a mapping of keys to values")]
    [InlineData("nvidia:\n  defaultMemory: 16Gi", "line 2: nvidia.defaultMemory is \"16Gi\", expected is a whole number from 0 to 2147483647 (MiB)")]
    [InlineData("nvidia:\n  defaultMemory: 2147483648", "nvidia.defaultMemory")]
    [InlineData("nvidia:\n  defaultCores: 101", "nvidia.defaultCores is \"101\", expected is a whole number from 0 to 100 (percent)")]
    [InlineData("nvidia:\n  defaultGPUNum: -1", "nvidia.defaultGPUNum")]
    [InlineData("nvidia:\n  memoryFactor: 1.5", "nvidia.memoryFactor")]
    [InlineData("nvidia:\n  overwriteEnv: maybe", "nvidia.overwriteEnv is \"maybe\", expected is true or false")]
    [InlineData("nvidia:\n  overwriteEnv: [true]", "nvidia.overwriteEnv is of another kind, expected is a text")]
    [InlineData("nvidia:\n  gpuCorePolicy: strict", "nvidia.gpuCorePolicy is \"strict\", expected is default, force or disable")]
    [InlineData("nvidia:\n  resourceCountName: gpu", "nvidia.resourceCountName is \"gpu\", expected is a resource name such as nvidia.com/gpu")]
    [InlineData("nvidia:\n  resourceCountName: nvidia.com/gpumem", "two of the resource names are the same")]
    [InlineData("nvidia:\n  migProfileAllowlist: 1g.5gb", "nvidia.migProfileAllowlist")]
    [InlineData("nvidia:\n  migProfileAllowlist: [ { models: [A30] } ]", "nvidia.migProfileAllowlist.profiles is of another kind, expected is at least one word in each entry")]
    [InlineData("nvidia:\n  migProfileAllowlist: [ { models: [], profiles: [1g.5gb] } ]", "nvidia.migProfileAllowlist.models")]
    [InlineData("nvidia:\n  migProfileAllowlist: [ { models: [A30], profiles: [g.6gb] } ]", "nvidia.migProfileAllowlist.profiles is g.6gb, expected is NVML's names such as 1g.10gb")]
    public void A_wrong_value_is_named_with_its_key_and_what_is_expected(string yaml, string sentence) =>
        Assert.Contains(sentence, Assert.Throws<FormatException>(() => DeviceConfigFile.Parse(yaml)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("nvidia: [")]
    [InlineData("nvidia: {}\nnvidia: {}")]
    public void What_is_no_YAML_is_refused_by_its_place(string yaml) =>
        Assert.Contains("Line", Assert.ThrowsAny<YamlDotNet.Core.YamlException>(() => DeviceConfigFile.Parse(yaml)).ToString(), StringComparison.OrdinalIgnoreCase);
}
