using Hami.Domain.Protocol;
using Hami.Lab.Cluster;
using Hami.NodeAgent.Plumbing.Nvml;
using Hami.NodeAgent.Plumbing.Settings;
using Hami.NodeAgent.Registering;

namespace Hami.Tests.Cluster;

/// <summary>What a lab node's agent finds by the pretended NVML is what the lab says of the node.</summary>
public sealed class FindingTheLabsCards : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hami-test-");

    public static TheoryData<string> Nodes => [.. LabNode.Three.Concat(LabNode.WithMigCards).Select(node => node.Name)];

    [Theory]
    [MemberData(nameof(Nodes))]
    public void Cards_are_found_with_their_memory_their_place_and_what_they_can_be_cut_into(string name)
    {
        var node = LabNode.Three.Concat(LabNode.WithMigCards).Single(n => n.Name == name);
        var folder = new NodeFolder(node, _folder.FullName);
        folder.Prepare();
        var library = Path.Combine(_folder.FullName, "libnvidia-ml.so.1");
        File.Copy(Path.Combine(BuiltPrograms.Interceptor, "driver", "libnvidia-ml.so.1"), library);
        File.Copy(folder.Driver, Path.Combine(_folder.FullName, "cards.txt"));

        using var nvml = NvmlLibrary.Open(library);
        var (cards, leftOut) = Discovery.Cards(NvmlCards.Look(nvml, folder.Sysfs).Cards, new NodeSettings());

        Assert.Empty(leftOut);
        Assert.Equal(node.Cards.Select(c => (c.Index, c.Uuid, c.Model, c.MemoryMiB, c.Numa)), cards.Select(c => (c.Index, c.Uuid, c.Model, c.MemoryMiB, c.Numa ?? -1)));
        // HAMi's list has its own word for the whole of an A100 with 80 GB: 7g.79gb.
        Assert.Equal(
            node.Cards.Select(c => c.MigProfiles?.Where(p => p.Slices < 7).Select(Told)),
            NodeRegister.Decode(Publication.Text(cards, new NodeSettings())).Select(c => c.MigProfiles?.Where(p => p.Slices < 7).Select(Told)));
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private static string Told(PublishedMigProfile profile) =>
        $"{profile.Name} {profile.MemoryMiB} {profile.Cores}% {profile.Slices}: {string.Join(' ', profile.Placements.Select(p => $"{p.Start}+{p.Size}"))}";
}
