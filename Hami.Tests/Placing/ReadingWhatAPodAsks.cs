using Hami.Api.Plumbing.Kubernetes;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Placing;

public sealed class ReadingWhatAPodAsks
{
    private static readonly NvidiaConfig Nvidia = NvidiaConfig.Hami;

    [Theory]
    [Trait("Hami", "case 1")]
    [Trait("Hami", "case 2")]
    [Trait("Hami", "case 3")]
    [Trait("Hami", "case 6")]
    // limits → count, MiB, percent, cores
    [InlineData("gpu=1", 1, 0, 100, 0)]
    [InlineData("gpu=2 gpumem=4096", 2, 4096, 0, 0)]
    [InlineData("gpu=1 gpumem-percentage=50", 1, 0, 50, 0)]
    [InlineData("gpu=1 gpumem=2000 gpumem-percentage=0", 1, 2000, 0, 0)]
    [InlineData("gpu=1 gpumem=2000 gpumem-percentage=50", 1, 2000, 0, 0)]
    [InlineData("gpu=1 gpumem=0 gpumem-percentage=50", 1, 0, 50, 0)]
    [InlineData("gpu=1 gpumem=3k gpucores=30", 1, 3000, 0, 30)]
    [InlineData("gpu=0 gpumem=3000 gpucores=30", 0, 0, 0, 0)]
    [InlineData("gpumem=3000 gpucores=30", 0, 0, 0, 0)]
    [InlineData("cpu=2 memory=4Gi", 0, 0, 0, 0)]
    public void Each_resource_becomes_its_part_of_the_ask(string limits, int count, long memoryMiB, int percent, int cores) =>
        Assert.Equal(new ContainerAsk("main", false, count, memoryMiB, percent, cores), One(limits));

    [Theory]
    [Trait("Hami", "case 4")]
    [Trait("Hami", "case 5")]
    [Trait("Scoreboard", "A08")]
    [InlineData("150")]
    [InlineData("101")]
    [InlineData("4294967346")]
    [InlineData("0")]
    [InlineData("-1")]
    public void A_percentage_that_came_past_admission_means_the_whole_card_when_it_is_none(string percent)
    {
        var resource = $"gpumem-percentage={percent}";

        Assert.Equal(100, One($"gpu=1 {resource}").MemoryPercent);
        Assert.Equal(100, One("gpu=1", requests: resource).MemoryPercent);
    }

    [Theory]
    [Trait("Hami", "case 7")]
    [Trait("Hami", "case 8")]
    [Trait("Scoreboard", "A10")]
    [Trait("Scoreboard", "A12")]
    // gpumem, memory factor → MiB
    [InlineData("16Gi", 1, 16384)]
    [InlineData("16.0Gi", 1, 16384)]
    [InlineData("17179869185", 1, 16385)]
    [InlineData("3000000000", 1, 2862)]
    [InlineData("1048575", 1, 1048575)]
    [InlineData("16777216", 1, 16)]
    [InlineData("1024", 2, 2048)]
    [InlineData("10", 256, 2560)]
    [InlineData("1Gi", 2, 1024)]
    [InlineData("0", 256, 0)]
    public void Small_numbers_are_MiB_times_the_factor_and_large_ones_are_bytes(string memory, int factor, long memoryMiB) =>
        Assert.Equal(memoryMiB, One($"gpu=1 gpumem={memory}", Nvidia with { MemoryFactor = factor }).MemoryMiB);

    [Theory]
    [Trait("Hami", "case 9")]
    [Trait("Scoreboard", "A05")]
    [InlineData("gpu=1", 512, 0)]
    [InlineData("gpu=1 gpumem-percentage=0", 512, 0)]
    [InlineData("gpu=1 gpumem=0", 512, 0)]
    [InlineData("gpu=1 gpumem=100", 400, 0)]
    [InlineData("gpu=1 gpumem-percentage=30", 0, 30)]
    public void The_default_memory_counts_where_the_container_names_none_and_is_MiB_whatever_the_factor(string limits, long memoryMiB, int percent)
    {
        var ask = One(limits, Nvidia with { DefaultMemoryMiB = 512, MemoryFactor = 4 });

        Assert.Equal((memoryMiB, percent), (ask.MemoryMiB, ask.MemoryPercent));
    }

    [Theory]
    [InlineData("gpu=1", 30)]
    [InlineData("gpu=1 gpucores=0", 0)]
    [InlineData("gpu=1 gpucores=70", 70)]
    [InlineData("gpumem=3000", 0)]
    public void The_default_cores_count_where_the_container_names_none(string limits, int cores) =>
        Assert.Equal(cores, One(limits, Nvidia with { DefaultCores = 30 }).Cores);

    [Theory]
    [Trait("Hami", "case 42")]
    [Trait("Scoreboard", "A09")]
    [InlineData("100")]
    [InlineData("150")]
    [InlineData("99999999999")]
    public void More_cores_than_a_card_has_mean_all_of_them(string cores) => Assert.Equal(100, One($"gpu=1 gpucores={cores}").Cores);

    [Theory]
    [Trait("Hami", "case 10")]
    [Trait("Scoreboard", "A11")]
    [InlineData("", "gpu=2 gpumem=3000 gpucores=30", 2, 3000, 30)]
    [InlineData("gpu=1", "gpu=2 gpumem=3000", 1, 3000, 0)]
    [InlineData("gpumem=1000", "gpu=2 gpumem=3000", 2, 1000, 0)]
    public void What_stands_in_requests_alone_counts_like_a_limit(string limits, string requests, int count, long memoryMiB, int cores)
    {
        var ask = One(limits, requests: requests);

        Assert.Equal((count, memoryMiB, cores), (ask.Count, ask.MemoryMiB, ask.Cores));
    }

    [Theory]
    [Trait("Scoreboard", "A10")]
    [InlineData("gpu=-1", "invalid nvidia.com/gpu value -1 in container main: must be a whole number from 0 to 1024")]
    [InlineData("gpu=1025", "invalid nvidia.com/gpu value 1025 in container main: must be a whole number from 0 to 1024")]
    [InlineData("gpu=1500m", "invalid nvidia.com/gpu value 1.5 in container main: must be a whole number from 0 to 1024")]
    [InlineData("gpu=1 gpumem=-5", "invalid nvidia.com/gpumem value -5 in container main: must be a whole number of MiB")]
    [InlineData("gpu=1 gpumem=0.5", "invalid nvidia.com/gpumem value 0.5 in container main: must be a whole number of MiB")]
    [InlineData("gpu=1 gpumem=1048576", "is neither MiB (below 1048576) nor bytes (from 16777216 on); write for example 3000 or 3Gi")]
    [InlineData("gpu=1 gpumem=16777215", "is neither MiB")]
    [InlineData("gpu=1 gpumem=9223372036854775807", "no card has that much memory")]
    [InlineData("gpumem=-5", "invalid nvidia.com/gpumem value -5")]
    [InlineData("gpu=1 gpumem-percentage=500m", "invalid nvidia.com/gpumem-percentage value 0.5 in container main: must be an integer between 0 and 100")]
    [InlineData("gpu=1 gpucores=-3", "invalid nvidia.com/gpucores value -3 in container main: must be a whole number from 0 on, 100 for a whole card")]
    [InlineData("gpu=1 gpucores=1.5", "invalid nvidia.com/gpucores value 1.5")]
    public void A_value_no_card_could_serve_is_refused_in_a_sentence(string limits, string sentence)
    {
        var (_, refusal) = PodAskParser.Parse(Pods.Shape("p", Pods.Written(limits)), Nvidia, PlacementPolicy.Default);

        Assert.NotNull(refusal);
        Assert.Contains(sentence, refusal.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Scoreboard", "A12")]
    public void A_factor_that_makes_a_number_too_large_is_refused() => Assert.Contains(
        "no card has that much memory",
        PodAskParser.Parse(Pods.Shape("p", Pods.Written("gpu=1 gpumem=1000000")), Nvidia with { MemoryFactor = 4096 }, PlacementPolicy.Default).Refusal!.Sentence,
        StringComparison.Ordinal);

    [Fact]
    [Trait("Hami", "case 11")]
    public void Containers_keep_their_places_with_init_containers_first()
    {
        var ask = Parse(Pods.Read(
            """
            {"metadata":{"name":"p"},"spec":{
             "containers":[{"name":"a"},{"name":"b","resources":{"limits":{"nvidia.com/gpu":"1"}}},{"name":"c"}],
             "initContainers":[{"name":"i"},{"name":"s","restartPolicy":"Always","resources":{"limits":{"nvidia.com/gpu":2}}}]}}
            """));

        Assert.Equal(
            [("i", true, 0), ("s", false, 2), ("a", false, 0), ("b", false, 1), ("c", false, 0)],
            ask.Containers.Select(c => (c.Name, c.EndsBeforeApps, c.Count)));
    }

    [Fact]
    [Trait("Scoreboard", "A14")]
    public void Renamed_resources_count_under_their_new_names_alone()
    {
        var renamed = Nvidia with { ResourceNames = new("example.com/vgpu", "example.com/mem", "example.com/share", "example.com/cores", "example.com/priority") };

        Assert.Equal(0, One("gpu=1 gpumem=3000", renamed).Count);
        Assert.Equal(
            new ContainerAsk("main", false, 2, 3000, 0, 30), One("example.com/vgpu=2 example.com/mem=3000 example.com/cores=30 gpu=7", renamed));
    }

    [Theory]
    [InlineData("A100,V100", "NVIDIA A100-SXM4-40GB", true)]
    [InlineData("a100", "NVIDIA A100-SXM4-40GB", true)]
    [InlineData("V100", "NVIDIA A100-SXM4-40GB", false)]
    [InlineData("V100,", "NVIDIA A100-SXM4-40GB", false)]
    [InlineData(" , ", "NVIDIA A100-SXM4-40GB", true)]
    [InlineData("A10", "NVIDIA A100", true)]
    public void The_wanted_types_are_parts_of_the_model(string wanted, string model, bool allowed) =>
        Assert.Equal(allowed, Annotated(HamiKeys.UseGpuType, wanted).Wish.AllowsType(Asks.Card("GPU-a", model)));

    [Theory]
    [InlineData("V100,", true)]
    [InlineData("A100", false)]
    [InlineData("", true)]
    public void The_unwanted_types_are_left_out(string unwanted, bool allowed) =>
        Assert.Equal(allowed, Annotated(HamiKeys.NoUseGpuType, unwanted).Wish.AllowsType(Asks.Card("GPU-a", "NVIDIA A100")));

    [Theory]
    [Trait("Scoreboard", "B05")]
    [InlineData(HamiKeys.UseGpuType)]
    [InlineData(HamiKeys.NoUseGpuType)]
    [InlineData(HamiKeys.UseGpuUuid)]
    [InlineData(HamiKeys.NoUseGpuUuid)]
    [InlineData(HamiKeys.GpuMode)]
    [InlineData(HamiKeys.NumaBind)]
    public void A_blank_annotation_is_no_constraint(string key)
    {
        foreach (var blank in new[] { "", " " })
        {
            var wish = Annotated(key, blank).Wish;
            Assert.True(wish.AllowsType(Asks.Card("GPU-a")) && wish.AllowsUuid("GPU-a") && !wish.OneNuma);
        }
    }

    [Theory]
    // The cluster's own policy is spread over nodes, binpack over cards.
    [InlineData("spread", NodePolicy.Spread)]
    [InlineData("binpack", NodePolicy.Binpack)]
    [InlineData("nonsense", NodePolicy.Binpack)]
    [InlineData("", NodePolicy.Spread)]
    [InlineData(null, NodePolicy.Spread)]
    public void A_node_policy_nobody_knows_is_HAMis_default(string? text, NodePolicy nodes) => Assert.Equal(nodes, Annotated(HamiKeys.NodePolicy, text).Nodes);

    [Theory]
    [InlineData("topology-aware", "topology-aware")]
    [InlineData("nonsense", "spread")]
    [InlineData("nonsense,numa", "numa")]
    [InlineData("binpack, numa", "binpack,numa")]
    [InlineData("", "binpack")]
    [InlineData(null, "binpack")]
    public void A_card_policy_nobody_knows_is_HAMis_default(string? text, string cards) => Assert.Equal(cards, Annotated(HamiKeys.GpuPolicy, text).Cards.Word);

    [Theory]
    [InlineData("true", true)]
    [InlineData("1", true)]
    [InlineData("T", true)]
    [InlineData("false", false)]
    [InlineData("yes", false)]
    public void The_NUMA_wish_is_a_Go_boolean(string text, bool wanted) => Assert.Equal(wanted, Annotated(HamiKeys.NumaBind, text).Wish.OneNuma);

    [Fact]
    public void Weights_nobody_can_read_are_refused_where_cards_are_asked()
    {
        var annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [HamiKeys.ScoringWeights] = "slot=1,core=-1,memory=1" };

        var (_, refusal) = PodAskParser.Parse(Pods.Shape("p", Pods.Written("gpu=1")) with { Annotations = annotations }, Nvidia, PlacementPolicy.Default);
        var (_, none) = PodAskParser.Parse(Pods.Shape("p", Pods.Written("")) with { Annotations = annotations }, Nvidia, PlacementPolicy.Default);

        Assert.StartsWith("calcScore failed invalid hami.io/device-scoring-weights annotation", refusal!.Sentence, StringComparison.Ordinal);
        Assert.Null(none);
    }

    [Theory]
    [InlineData("""{"labels":{"scheduling.x-k8s.io/pod-group":"team"}}""", "{}", "team")]
    [InlineData("{}", """{"schedulingGroup":{"podGroupName":"gang"}}""", "gang")]
    [InlineData("""{"labels":{"scheduling.x-k8s.io/pod-group":""}}""", """{"schedulingGroup":{"podGroupName":"gang"}}""", "gang")]
    [InlineData("""{"labels":{"app":"x"}}""", "{}", null)]
    public void A_pod_group_is_named_by_the_label_or_by_the_spec(string metadata, string spec, string? group) =>
        Assert.Equal(group, Parse(Pods.Read($$"""{"metadata":{{metadata}},"spec":{{spec}}}""")).Group);

    [Theory]
    // app containers, init containers (* for sidecars), overhead, the pod's own → thousandths of a CPU, MiB
    [InlineData("cpu=100m memory=64Mi | cpu=1", "", "", "", 1100, 64)]
    [InlineData("cpu=1 memory=1Gi", "cpu=3 memory=100Mi", "", "", 3000, 1024)]
    [InlineData("cpu=1", "*cpu=2 | cpu=2", "", "", 4000, 0)]
    [InlineData("cpu=3", "cpu=2 | *cpu=2", "", "", 5000, 0)]
    [InlineData("cpu=1 memory=1", "", "cpu=250m memory=120Mi", "", 1250, 121)]
    [InlineData("cpu=1 memory=1Gi", "", "cpu=250m", "cpu=2", 2250, 1024)]
    [InlineData("cpu=1n memory=128974848", "", "", "", 1, 123)]
    [InlineData("cpu=9E memory=9E", "", "", "", 1_000_000_000_000_000_000, 953_674_317)]
    [InlineData("", "", "", "", 0, 0)]
    public void Host_resources_are_counted_as_Kubernetes_counts_them(string apps, string inits, string overhead, string own, long cpuMilli, long memoryMiB)
    {
        var containers = Containers(inits, isInit: true).Concat(Containers(apps, isInit: false));
        var shape = Pods.Shape("p", [.. containers]) with { Overhead = Pods.Quantities(overhead), Requests = Pods.Quantities(own) };

        Assert.Equal(new HostRoom(cpuMilli, memoryMiB), Parse(shape).Host);

        static IEnumerable<ContainerShape> Containers(string text, bool isInit) => text.Split('|', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(c => Pods.Written("", c.TrimStart('*'), isInit: isInit, isSidecar: c.StartsWith('*')));
    }

    [Theory]
    [InlineData(HamiKeys.UseGpuUuid, 128, 40, null)]
    [InlineData(HamiKeys.UseGpuUuid, 129, 40, "invalid nvidia.com/use-gpuuuid annotation: it lists 129 words, at most 128 are kept; name fewer, or label the nodes and use a nodeSelector")]
    [InlineData(HamiKeys.NoUseGpuUuid, 128, 80, "invalid nvidia.com/nouse-gpuuuid annotation: it has 10367 characters, at most 8192 are kept; name fewer, or label the nodes and use a nodeSelector")]
    [InlineData(HamiKeys.UseGpuType, 100_000, 1, "it has 199999 characters")]
    [InlineData(HamiKeys.NoUseGpuType, 4000, 1, "it lists 4000 words")]
    [InlineData(HamiKeys.GpuMode, 1, 9000, "it has 9000 characters")]
    [InlineData(HamiKeys.GpuPolicy, 1000, 6, "it lists 1000 words")]
    public void A_list_that_the_log_would_have_to_keep_for_ever_is_bounded(string annotation, int words, int length, string? sentence)
    {
        var list = string.Join(',', Enumerable.Repeat(new string('x', length), words));
        var shape = Pods.Shape("p", Pods.Container("main", 1)) with { Annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [annotation] = list } };

        var (ask, refusal) = PodAskParser.Parse(shape, Nvidia, PlacementPolicy.Default);

        if (sentence is null)
            Assert.Equal((null, words), (refusal, ask.Wish.UseUuids.Count));
        else
            Assert.Contains(sentence, refusal!.Sentence, StringComparison.Ordinal);
        // A pod that asks for no cards leaves no event.
        Assert.Null(PodAskParser.Parse(shape with { Containers = [Pods.Written("")] }, Nvidia, PlacementPolicy.Default).Refusal);
    }

    [Theory]
    [InlineData(HamiKeys.NoUseGpuType)]
    [InlineData(HamiKeys.UseGpuUuid)]
    [InlineData(HamiKeys.GpuMode)]
    public void An_annotation_that_the_log_cannot_keep_is_refused(string annotation)
    {
        var shape = Pods.Shape("p", Pods.Container("main", 1)) with { Annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [annotation] = "mig\0" } };

        Assert.Contains("NUL", PodAskParser.Parse(shape, Nvidia, PlacementPolicy.Default).Refusal!.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pod_reads_the_same_from_the_wire_and_from_the_client_library()
    {
        const string Json =
            """
            {"apiVersion":"v1","kind":"Pod",
             "metadata":{"name":"p","namespace":"team-a","uid":"u-1","labels":{"scheduling.x-k8s.io/pod-group":"g"},
              "annotations":{"nvidia.com/use-gputype":"A100","hami.io/node-scheduler-policy":"spread","nvidia.com/numa-bind":"true"}},
             "spec":{"schedulingGroup":{"podGroupName":"h"},"overhead":{"cpu":"250m","memory":"120Mi"},"resources":{"requests":{"cpu":"3"}},
              "initContainers":[{"name":"s","restartPolicy":"Always","resources":{"limits":{"nvidia.com/gpu":"1","nvidia.com/gpumem":"1k"},"requests":{"cpu":"1","memory":"1Gi"}}}],
              "containers":[{"name":"main","resources":{"limits":{"nvidia.com/gpu":"2","nvidia.com/gpumem":"16Gi","nvidia.com/gpucores":"30","example.com/x":"7"}}}]}}
            """;

        var wire = Parse(Pods.Read(Json));
        var library = Parse(PodReading.Shape(KubernetesJson.Deserialize<V1Pod>(Json), ResourceNames.Nvidia));

        Assert.Equal(System.Text.Json.JsonSerializer.Serialize(wire), System.Text.Json.JsonSerializer.Serialize(library));
        Assert.Equal(("team-a", "g", new HostRoom(3250, 1144)), (wire.Namespace, wire.Group, wire.Host));
    }

    private static PodAsk Annotated(string annotation, string? value)
    {
        var annotations = new Dictionary<string, string>(StringComparer.Ordinal);
        if (value is not null)
            annotations[annotation] = value;
        return Parse(Pods.Shape("p", Pods.Container("main", 1)) with { Annotations = annotations }, policy: new(NodePolicy.Spread, CardPolicy.Binpack));
    }

    private static ContainerAsk One(string limits, NvidiaConfig? nvidia = null, string requests = "") =>
        Assert.Single(Parse(Pods.Shape("p", Pods.Written(limits, requests)), nvidia).Containers);

    private static PodAsk Parse(PodShape shape, NvidiaConfig? nvidia = null, PlacementPolicy? policy = null)
    {
        var (ask, refusal) = PodAskParser.Parse(shape, nvidia ?? Nvidia, policy ?? PlacementPolicy.Default);
        Assert.Null(refusal);
        return ask;
    }
}
