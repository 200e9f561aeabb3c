using Hami.NodeAgent.Registering;

namespace Hami.Tests.Registering;

public sealed class NodeAgentReadingTheDeviceFile
{
    [Fact]
    public void A_card_needs_uuid_model_and_memory_and_may_say_more() =>
        Assert.Equal(
        [
            new Card("GPU-a", "NVIDIA GeForce RTX 4090", 24564, null, true),
            new Card("GPU-b", "Tesla P4", 7611, 1, false) { Index = 1, Minor = 1 },
        ], DeviceFile.Parse("""
            devices:
              - uuid: GPU-a
                model: NVIDIA GeForce RTX 4090
                memoryMiB: 24564
              - { uuid: GPU-b, model: Tesla P4, memoryMiB: 7611, numa: 1, healthy: false }
            """, "devices.yaml"));

    [Theory]
    [InlineData("", "begin it with \"devices:\"")]
    [InlineData("devices: []", "begin it with \"devices:\"")]
    [InlineData("devices: [", "is not YAML at line")]
    [InlineData("devices:\n  - GPU-a", "entry 1 (line 2)")]
    [InlineData("devices:\n  - uuid: GPU-a\n    memoryMiB: 1", "\"model\" is missing; add a line")]
    [InlineData("devices:\n  - model: P4\n    memoryMiB: 1", "\"uuid\" is missing")]
    [InlineData("devices:\n  - uuid: GPU-a\n    model: P4\n    memoryMiB: 24Gi", "memoryMiB is \"24Gi\"; write")]
    [InlineData("devices:\n  - {uuid: GPU-a, model: P4, memoryMiB: 1}\n  - {uuid: GPU-b, model: P4, memoryMiB: 0}", "entry 2 (line 3)")]
    [InlineData("devices:\n  - {uuid: GPU-a, model: P4, memoryMiB: 1}\n  - {uuid: GPU-a, model: P4, memoryMiB: 1}", "GPU-a twice")]
    [InlineData("devices:\n  - {uuid: GPU-a, model: P4, memoryMiB: 1, numa: left}", "numa is \"left\"")]
    [InlineData("devices:\n  - {uuid: GPU-a, model: P4, memoryMiB: 1, healthy: maybe}", "healthy is \"maybe\"")]
    [InlineData("devices:\n  - {uuid: GPU-a, model: P4, memoryMiB: 1, memory: 2}", "\"memory\", which is not known")]
    [InlineData("devices:\n  - {uuid: \"GPU,a\", model: P4, memoryMiB: 1}", "cannot be used")]
    public void A_bad_file_is_one_sentence_that_says_where_and_how_to_mend_it(string text, string says)
    {
        var sentence = Assert.Throws<DeviceFileException>(() => DeviceFile.Parse(text, "devices.yaml")).Message;
        Assert.Contains(says, sentence, StringComparison.Ordinal);
        Assert.Contains("devices.yaml", sentence, StringComparison.Ordinal);
    }
}
