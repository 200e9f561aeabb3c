using Hami.Domain.Protocol;
using Hami.Lab.Cluster;
using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Plumbing.Settings;
using Hami.NodeAgent.Registering;

namespace Hami.Tests.Registering;

public sealed class NodeAgentTellingOfMig
{
    private static readonly NodeSettings Settings = new() { MemoryScaling = 1, CoreScaling = 2 };

    public static TheoryData<string> Cards => ["A100-40GB", "A100-80GB"];

    [Theory]
    [MemberData(nameof(Cards))]
    public void What_the_lab_simulates_stands_in_the_register_annotation(string card)
    {
        var profiles = card == "A100-40GB" ? MigCards.A100With40GB : MigCards.A100With80GB;
        var cards = DeviceFile.Parse(LabNode.Three[1].WithMig(profiles).AsAgentFile(), "devices.yaml");

        var published = NodeRegister.Decode(Publication.Text(cards, Settings));

        Assert.All(published, device => Assert.Equal(("mig", 7, 100), (device.Mode, device.Count, device.Cores)));
        Assert.All(published, device => Assert.Equal(profiles.Select(Told), device.MigProfiles!.Select(Told)));
        Assert.Equal(7 * 4, Replicas.List(cards, Settings).Devices.Count);
    }

    [Fact]
    public void An_A100_has_seven_slices_of_compute_and_eight_of_memory() =>
        Assert.Equal(
            ["1g.5gb 4864 15% 1: 0+1 1+1 2+1 3+1 4+1 5+1 6+1", "2g.10gb 9984 29% 2: 0+2 2+2 4+2", "3g.20gb 20096 43% 3: 0+4 4+4", "7g.40gb 40448 100% 7: 0+8"],
            MigCards.A100With40GB.Select(Told));

    [Fact]
    public void The_annotation_has_HAMis_words() =>
        Assert.Contains(
            """
            "mode":"mig","health":true,"migProfiles":[{"name":"1g.5gb","memoryMB":4864,"core":15,"sliceCount":1,"placements":[{"size":1},{"start":1,"size":1}]}]
            """.Trim(),
            Publication.Text(DeviceFile.Parse(File("mode: mig, migProfiles: [{name: 1g.5gb, memoryMB: 4864, core: 15, sliceCount: 1, placements: [{start: 0, size: 1}, {start: 1, size: 1}]}]"), "f"), Settings),
            StringComparison.Ordinal);

    [Fact]
    public void Cards_are_the_same_when_their_profiles_say_the_same()
    {
        var text = LabNode.Three[1].WithMig(MigCards.A100With40GB).AsAgentFile();
        Assert.Equal(DeviceFile.Parse(text, "f"), DeviceFile.Parse(text, "f"));
        Assert.NotEqual(DeviceFile.Parse(text, "f"), DeviceFile.Parse(text.Replace("4864", "4865", StringComparison.Ordinal), "f"));
    }

    [Theory]
    [InlineData("mode: mps", "mode is \"mps\"; write")]
    [InlineData("mode: mig", "migProfiles are missing")]
    [InlineData("mode: mig, migProfiles: []", "migProfiles are missing")]
    [InlineData("migProfiles: [{name: a}]", "not in MIG mode")]
    [InlineData("mode: mig, migProfiles: [a]", "lists \"a\"")]
    [InlineData("mode: mig, migProfiles: [{memoryMB: 1}]", "has no name")]
    [InlineData("mode: mig, migProfiles: [{name: a, memoryMB: much}]", "memoryMB of a MIG profile is \"much\"")]
    [InlineData("mode: mig, migProfiles: [{name: a, memoryMB: 1, core: 1, sliceCount: 1}]", "has no placements")]
    [InlineData("mode: mig, migProfiles: [{name: a, memoryMB: 1, core: 1, sliceCount: 1, placements: [{start: -1, size: 1}]}]", "start of a MIG profile")]
    public void A_bad_entry_is_one_sentence_that_says_where(string entry, string says)
    {
        var sentence = Assert.Throws<DeviceFileException>(() => DeviceFile.Parse(File(entry), "devices.yaml")).Message;
        Assert.Contains(says, sentence, StringComparison.Ordinal);
        Assert.Contains("entry 1 (line 2) of the device file devices.yaml", sentence, StringComparison.Ordinal);
    }

    private static string File(string more) => $"devices:\n  - {{ uuid: GPU-a, model: A100, memoryMiB: 40960, {more} }}\n";

    private static string Told(PublishedMigProfile profile) =>
        $"{profile.Name} {profile.MemoryMiB} {profile.Cores}% {profile.Slices}: {string.Join(' ', profile.Placements.Select(p => $"{p.Start}+{p.Size}"))}";
}
