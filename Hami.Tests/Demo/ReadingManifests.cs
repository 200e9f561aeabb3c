using Hami.Lab.Cluster;
using Hami.Lab.Demo;

namespace Hami.Tests.Demo;

public sealed class ReadingManifests
{
    [Fact]
    public void Quoted_values_stay_words_and_plain_ones_become_what_they_are()
    {
        var read = Assert.Single(Manifests.Read("a: 1\nb: \"1\"\nc: true\nd: 'true'\ne: 1.5\nf: 10Gi\ng:\nh: [x, {y: -2}]\n"));
        Assert.Equal("""{"a":1,"b":"1","c":true,"d":"true","e":1.5,"f":"10Gi","g":null,"h":["x",{"y":-2}]}""", read.ToJsonString());
    }

    [Fact]
    public void A_file_may_hold_several_objects() =>
        Assert.Equal(2, Manifests.Read("kind: Pod\n---\nkind: Service\n---\n").Count());

    [Fact]
    public void Every_workload_has_its_example_which_bears_its_name_unless_several_are_made_of_it() =>
        Assert.All(Workloads.All, workload =>
        {
            var pod = Assert.Single(Manifests.Read(File.ReadAllText(Path.Combine(BuiltPrograms.Examples, workload.File))));
            Assert.Equal(workload.OnlyModel is null ? workload.Name : Path.GetFileNameWithoutExtension(workload.File), pod["metadata"]!["name"]!.GetValue<string>());
        });

    [Fact]
    public void The_listed_cards_are_cards_of_the_lab()
    {
        var cards = LabNode.Three.SelectMany(node => node.Cards).Select(card => card.Uuid).ToList();
        Assert.All(Workloads.All, workload => Assert.Subset(cards.ToHashSet(StringComparer.Ordinal), workload.Uuids.ToHashSet(StringComparer.Ordinal)));
        var listed = Manifests.Read(File.ReadAllText(Path.Combine(BuiltPrograms.Examples, "uuid.yaml"))).Single()["metadata"]!["annotations"]!["nvidia.com/use-gpuuuid"]!;
        Assert.Equal(Workloads.All.Single(w => w.Name == "uuid").Uuids, listed.GetValue<string>().Split(','));
    }
}
