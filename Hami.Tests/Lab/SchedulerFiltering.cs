using Hami.Lab.Scheduler;
using k8s;
using k8s.Models;

namespace Hami.Tests.Lab;

/// <summary>The scheduler's own filters: which node refuses a pod, in kube-scheduler 1.36's words.</summary>
public sealed class SchedulerFiltering
{
    private const string Never = " (never)";
    private readonly ClusterState _cluster = new();
    private readonly Nominations _nominations = new();
    private int _pods;

    [Theory]
    [InlineData("""{}""", """{}""", null)]
    [InlineData("""{}""", """{"spec":{"unschedulable":true}}""", "node(s) were unschedulable" + Never)]
    [InlineData("""{"tolerations":[{"key":"node.kubernetes.io/unschedulable","operator":"Exists"}]}""", """{"spec":{"unschedulable":true}}""", null)]
    [InlineData("""{}""", """{"status":{"conditions":[{"type":"Ready","status":"Unknown"}]}}""", "node(s) had untolerated taint(s)" + Never)]
    [InlineData("""{}""", """{"spec":{"taints":[{"key":"gpu","value":"a","effect":"NoSchedule"}]}}""", "node(s) had untolerated taint(s)" + Never)]
    [InlineData("""{}""", """{"spec":{"taints":[{"key":"gpu","value":"a","effect":"NoExecute"}]}}""", "node(s) had untolerated taint(s)" + Never)]
    [InlineData("""{}""", """{"spec":{"taints":[{"key":"gpu","value":"a","effect":"PreferNoSchedule"}]}}""", null)]
    [InlineData("""{"tolerations":[{"key":"gpu","operator":"Exists"}]}""", """{"spec":{"taints":[{"key":"gpu","value":"a","effect":"NoSchedule"}]}}""", null)]
    [InlineData("""{"tolerations":[{"key":"gpu","value":"a","effect":"NoSchedule"}]}""", """{"spec":{"taints":[{"key":"gpu","value":"a","effect":"NoSchedule"}]}}""", null)]
    [InlineData("""{"tolerations":[{"key":"gpu","value":"b"}]}""", """{"spec":{"taints":[{"key":"gpu","value":"a","effect":"NoSchedule"}]}}""", "node(s) had untolerated taint(s)" + Never)]
    [InlineData("""{"tolerations":[{"key":"gpu","operator":"Exists","effect":"NoExecute"}]}""", """{"spec":{"taints":[{"key":"gpu","value":"a","effect":"NoSchedule"}]}}""", "node(s) had untolerated taint(s)" + Never)]
    [InlineData("""{"nodeSelector":{"zone":"a"}}""", """{}""", null)]
    [InlineData("""{"nodeSelector":{"zone":"b"}}""", """{}""", "node(s) didn't match Pod's node affinity/selector" + Never)]
    public void A_node_itself_may_refuse(string podSpec, string node, string? refusal)
    {
        Node("n", node);

        Assert.Equal(refusal, Ask(Pod(podSpec))["n"]);
    }

    [Theory]
    [InlineData("""[{"matchExpressions":[{"key":"zone","operator":"In","values":["a","b"]}]}]""", true)]
    [InlineData("""[{"matchExpressions":[{"key":"zone","operator":"NotIn","values":["a"]}]}]""", false)]
    [InlineData("""[{"matchExpressions":[{"key":"missing","operator":"NotIn","values":["a"]}]}]""", true)]
    [InlineData("""[{"matchExpressions":[{"key":"zone","operator":"Exists"}]}]""", true)]
    [InlineData("""[{"matchExpressions":[{"key":"zone","operator":"DoesNotExist"}]}]""", false)]
    [InlineData("""[{"matchExpressions":[{"key":"size","operator":"Gt","values":["7"]}]}]""", true)]
    [InlineData("""[{"matchExpressions":[{"key":"size","operator":"Gt","values":["8"]}]}]""", false)]
    [InlineData("""[{"matchExpressions":[{"key":"size","operator":"Lt","values":["9"]}]}]""", true)]
    [InlineData("""[{"matchExpressions":[{"key":"missing","operator":"Lt","values":["9"]}]}]""", false)]
    [InlineData("""[{"matchExpressions":[{"key":"zone","operator":"In","values":["b"]}]},{"matchFields":[{"key":"metadata.name","operator":"In","values":["n"]}]}]""", true)]
    [InlineData("""[{"matchFields":[{"key":"metadata.name","operator":"NotIn","values":["n"]}]}]""", false)]
    [InlineData("""[{}]""", false)]
    public void Required_node_affinity_holds_when_one_term_does(string terms, bool holds)
    {
        Node("n");

        var refusal = Ask(Pod($$$$$"""{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":{{{{{terms}}}}}}}}}"""))["n"];

        Assert.Equal(holds ? null : "node(s) didn't match Pod's node affinity/selector" + Never, refusal);
    }

    [Theory]
    [InlineData("cpu=1", null)]
    [InlineData("cpu=3001m", "Insufficient cpu")]
    [InlineData("cpu=5", "Insufficient cpu" + Never)]
    [InlineData("memory=7Gi", null)]
    [InlineData("memory=7.5Gi,cpu=3500m", "Insufficient cpu, Insufficient memory")]
    [InlineData("ephemeral-storage=11G", "Insufficient ephemeral-storage" + Never)]
    [InlineData("example.com/card=2", null)]
    [InlineData("example.com/card=3", "Insufficient example.com/card" + Never)]
    [InlineData("example.com/none=1", "Insufficient example.com/none" + Never)]
    [InlineData("nvidia.com/gpu=9,nvidia.com/gpumem=3k,nvidia.com/gpucores=30,nvidia.com/gpumem-percentage=50,nvidia.com/priority=1", null)]
    public void A_node_must_have_what_is_asked_beside_what_its_pods_took(string asks, string? refusal)
    {
        Node("n");
        On("n", Pod(Asking("cpu=1,memory=1Gi")));

        Assert.Equal(refusal, Ask(Pod(Asking(asks)))["n"]);
    }

    [Fact]
    public void An_amount_beyond_all_numbers_counts_as_the_largest_there_is()
    {
        var asks = Amounts.Of(new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["cpu"] = new("1e30"), ["memory"] = new("1e30"), ["example.com/card"] = new("1e30") });

        Assert.Equal((long.MaxValue, long.MaxValue, long.MaxValue), (asks.MilliCpu, asks.MemoryBytes, asks.Other("example.com/card")));
    }

    [Fact]
    public void A_full_node_takes_not_even_a_pod_that_asks_nothing()
    {
        Node("n", """{"status":{"allocatable":{"pods":"1"}}}""");
        On("n", Pod("{}"));

        Assert.Equal("Too many pods", Ask(Pod("{}"))["n"]);
    }

    [Theory]
    [InlineData("""[{"cpu":"3"}]""", """[{"cpu":"1"},{"cpu":"1"}]""", null, 3000)]
    [InlineData("""[{"cpu":"1"}]""", """[{"cpu":"1"},{"cpu":"1"}]""", null, 2000)]
    [InlineData("""[{"cpu":"1","sidecar":true},{"cpu":"3"}]""", """[{"cpu":"2"}]""", null, 4000)]
    [InlineData("""[{"cpu":"3"},{"cpu":"1","sidecar":true}]""", """[{"cpu":"1500m"}]""", null, 3000)]
    [InlineData("""[]""", """[{"cpu":"1"}]""", """{"cpu":"250m"}""", 1250)]
    public void Init_containers_run_before_the_others_and_sidecars_beside_them(string init, string containers, string? overhead, long milliCpu)
    {
        var pod = Pod("{}");
        pod.Spec.InitContainers = Containers(init);
        pod.Spec.Containers = Containers(containers);
        pod.Spec.Overhead = overhead is null ? null : KubernetesJson.Deserialize<Dictionary<string, ResourceQuantity>>(overhead);

        Assert.Equal(milliCpu, PodAmounts.Of(pod).MilliCpu);
    }

    [Fact]
    public void What_a_whole_pod_asks_overrules_its_containers()
    {
        var pod = Pod(Asking("cpu=1,memory=1Gi"));
        pod.Spec.Resources = new() { Requests = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["cpu"] = new("3") } };

        var asks = PodAmounts.Of(pod);

        Assert.Equal((3000, 1L << 30), (asks.MilliCpu, asks.MemoryBytes));
    }

    [Theory]
    [InlineData("""{"hostPort":80,"containerPort":1}""", "node(s) didn't have free ports for the requested pod ports")]
    [InlineData("""{"hostPort":80,"containerPort":1,"hostIP":"10.0.0.1"}""", "node(s) didn't have free ports for the requested pod ports")]
    [InlineData("""{"hostPort":80,"containerPort":1,"protocol":"UDP"}""", null)]
    [InlineData("""{"hostPort":81,"containerPort":1}""", null)]
    [InlineData("""{"containerPort":80}""", null)]
    public void A_port_of_the_node_is_taken_once(string port, string? refusal)
    {
        Node("n");
        On("n", Pod("""{"containers":[{"name":"c","ports":[{"hostPort":80,"containerPort":8080}]}]}"""));

        Assert.Equal(refusal, Ask(Pod($$"""{"containers":[{"name":"c","ports":[{{port}}]}]}"""))["n"]);
    }

    [Fact]
    public void A_pod_that_wants_to_be_near_another_goes_to_the_same_zone()
    {
        Node("a1", zone: "a");
        Node("a2", zone: "a");
        Node("b", zone: "b");
        On("a1", Pod("{}", app: "web"));

        var refusals = Ask(Pod(Near("web")));

        Assert.Equal(new[] { null, null, "node(s) didn't match pod affinity rules" + Never }, new[] { refusals["a1"], refusals["a2"], refusals["b"] });
        Assert.Equal("node(s) didn't match pod affinity rules" + Never, Ask(Pod(Near("web"), podNamespace: "other"))["a1"]);
    }

    [Fact]
    public void The_first_of_a_group_that_wants_to_be_together_goes_anywhere()
    {
        Node("a", zone: "a");

        Assert.Null(Ask(Pod(Near("web"), app: "web"))["a"]);
        Assert.NotNull(Ask(Pod(Near("web"), app: "db"))["a"]);
    }

    [Fact]
    public void A_pod_that_wants_to_be_far_from_another_avoids_its_zone_and_the_other_avoids_it_too()
    {
        Node("a", zone: "a");
        Node("b", zone: "b");
        On("a", Pod("{}", app: "web"));
        On("b", Pod(Far("db"), app: "lonely"));

        Assert.Equal("node(s) didn't match pod anti-affinity rules", Ask(Pod(Far("web")))["a"]);
        Assert.Null(Ask(Pod(Far("web")))["b"]);
        Assert.Equal("node(s) didn't satisfy existing pods anti-affinity rules", Ask(Pod("{}", app: "db"))["b"]);
        Assert.Null(Ask(Pod("{}", app: "db"))["a"]);
    }

    [Fact]
    public void Pods_that_must_be_spread_go_where_fewest_are()
    {
        Node("a", zone: "a");
        Node("b", zone: "b");
        Node("nowhere", """{"metadata":{"labels":{"zone":"c"}}}""", zone: null);
        On("a", Pod("{}", app: "web"));

        var refusals = Ask(Pod(
            """{"topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"topology.kubernetes.io/zone","whenUnsatisfiable":"DoNotSchedule","labelSelector":{"matchLabels":{"app":"web"}}}]}""",
            app: "web"));

        Assert.Equal("node(s) didn't match pod topology spread constraints", refusals["a"]);
        Assert.Null(refusals["b"]);
        Assert.Equal("node(s) didn't match pod topology spread constraints (missing required label)" + Never, refusals["nowhere"]);
    }

    [Fact]
    public void Room_that_a_more_important_pod_made_is_not_taken_by_a_lesser_one()
    {
        Node("n");
        var important = Pod(Asking("cpu=3"));
        important.Spec.Priority = 10;
        _nominations.Set(new(important), "n");

        Assert.Equal("Insufficient cpu", Ask(Pod(Asking("cpu=2")))["n"]);
        Assert.Null(Ask(important)["n"]);
        important.Spec.Priority = -1;
        _nominations.Set(new(important), "n");
        Assert.Null(Ask(Pod(Asking("cpu=2")))["n"]);
    }

    [Fact]
    public void Zones_take_turns()
    {
        Node("a1", zone: "a");
        Node("a2", zone: "a");
        Node("a3", zone: "a");
        Node("b1", zone: "b");

        Assert.Equal(["a1", "b1", "a2", "a3"], _cluster.Nodes.Select(n => n.Name));
    }

    [Theory]
    [InlineData(50, 0, 50)]
    [InlineData(99, 10, 99)]
    [InlineData(100, 0, 100)]
    [InlineData(150, 0, 100)]
    [InlineData(1000, 0, 420)]
    [InlineData(5000, 0, 500)]
    [InlineData(6000, 0, 300)]
    [InlineData(1000, 5, 100)]
    [InlineData(1000, 30, 300)]
    [InlineData(1000, 100, 1000)]
    public void Large_clusters_are_sampled(int nodes, int percentage, int enough) => Assert.Equal(enough, Sample.Enough(nodes, percentage));

    [Fact]
    public void The_next_pod_looks_where_the_last_one_stopped()
    {
        for (var i = 0; i < 250; i++)
            Node($"n{i:000}");
        var sample = new Sample(0);

        Assert.Equal(("n000", "n119"), Looked());
        Assert.Equal(("n120", "n239"), Looked());
        Assert.Equal(("n240", "n109"), Looked());

        (string First, string Last) Looked()
        {
            var found = sample.Find(_cluster.Nodes, _cluster.Nodes.Count, _ => true);
            return (found[0].Name, found[^1].Name);
        }
    }

    [Fact]
    public void The_emptier_and_the_more_evenly_used_node_scores_higher()
    {
        Node("busy");
        Node("free");
        Node("reluctant", """{"spec":{"taints":[{"key":"x","effect":"PreferNoSchedule"}]}}""");
        On("busy", Pod(Asking("cpu=2")));
        var pod = Pod(Asking("cpu=1,memory=2Gi"));

        var scores = Scores.Of(pod, new(pod), [.. _cluster.Nodes]);

        // busy: 25 % of CPU and 75 % of memory stay free less what silence is taken for; free: 75 % of each.
        Assert.Equal([300 + 48 + 75, 300 + 75 + 100, 0 + 75 + 100], scores);
    }

    [Fact]
    public void Preferred_affinity_counts_twice()
    {
        Node("a", zone: "a");
        Node("b", zone: "b");
        var pod = Pod("""{"affinity":{"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":10,"preference":{"matchExpressions":[{"key":"topology.kubernetes.io/zone","operator":"In","values":["b"]}]}}]}}}""");

        var scores = Scores.Of(pod, new(pod), [.. _cluster.Nodes]);

        Assert.Equal(200, scores[1] - scores[0]);
    }

    [Theory]
    [InlineData("""{"metadata":{"annotations":{"a":"1"}}}""", nameof(Happenings.NodeAnnotations))]
    [InlineData("""{"metadata":{"labels":{"zone":"b","size":"8"}}}""", nameof(Happenings.NodeLabels))]
    [InlineData("""{"status":{"allocatable":{"pods":"111"}}}""", nameof(Happenings.NodeAllocatable))]
    [InlineData("""{"status":{"conditions":[{"type":"Ready","status":"True","lastHeartbeatTime":"2026-01-01T00:00:00Z"}]}}""", nameof(Happenings.None))]
    [InlineData("""{"spec":{"taints":[{"key":"x","effect":"NoSchedule"}]}}""", nameof(Happenings.NodeTaints))]
    [InlineData("""{"spec":{"unschedulable":true}}""", nameof(Happenings.None))]
    [InlineData("""{"status":{"conditions":[{"type":"Ready","status":"False"}]}}""", "NodeTaints, NodeConditions")]
    public void A_change_of_a_node_is_told_by_what_changed(string change, string happened) =>
        Assert.Equal(Enum.Parse<Happenings>(happened), Changes.Of(NodeObject("n", "{}", null), NodeObject("n", change, null)));

    private Dictionary<string, string?> Ask(V1Pod pod)
    {
        var fitting = new Fitting(pod, new(pod), _cluster, _nominations, new HashSet<string>(ManagedResources.Nvidia, StringComparer.Ordinal));
        return _cluster.Nodes.ToDictionary(
            n => n.Name,
            n => fitting.Refuses(n) is { } r ? string.Join(", ", r.Texts.Order(StringComparer.Ordinal)) + (r.IsFinal ? Never : "") : null,
            StringComparer.Ordinal);
    }

    private void Node(string name, string change = "{}", string? zone = "z") => _cluster.Show(NodeObject(name, change, zone));

    // What a change says replaces what a node has at first, member by member.
    private static V1Node NodeObject(string name, string change, string? zone)
    {
        var node = KubernetesJson.Deserialize<V1Node>(change);
        node.Metadata ??= new();
        node.Metadata.Name = name;
        node.Metadata.Labels ??= new Dictionary<string, string>(StringComparer.Ordinal) { ["zone"] = "a", ["size"] = "8" };
        if (zone is not null)
            node.Metadata.Labels["topology.kubernetes.io/zone"] = zone;
        node.Status ??= new();
        node.Status.Conditions ??= [new() { Type = "Ready", Status = "True" }];
        node.Status.Allocatable ??= new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal)
        {
            ["cpu"] = new("4"), ["memory"] = new("8Gi"), ["ephemeral-storage"] = new("10G"), ["pods"] = new("110"), ["example.com/card"] = new("2"),
        };
        return node;
    }

    private void On(string node, V1Pod pod)
    {
        pod.Spec.NodeName = node;
        _cluster.Assign(new(pod));
    }

    private V1Pod Pod(string spec, string? app = null, string podNamespace = "default")
    {
        var pod = new V1Pod
        {
            Metadata = new() { Name = $"p{_pods}", Uid = $"{_pods++}", NamespaceProperty = podNamespace },
            Spec = KubernetesJson.Deserialize<V1PodSpec>(spec),
        };
        pod.Spec.Containers ??= [new() { Name = "c" }];
        if (app is not null)
            pod.Metadata.Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["app"] = app };
        return pod;
    }

    private static string Near(string app) => Affinity("podAffinity", app);

    private static string Far(string app) => Affinity("podAntiAffinity", app);

    private static string Affinity(string kind, string app) =>
        $$$$$$"""{"affinity":{"{{{{{{kind}}}}}}":{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"topology.kubernetes.io/zone","labelSelector":{"matchExpressions":[{"key":"app","operator":"In","values":["{{{{{{app}}}}}}"]}]}}]}}}""";

    private static string Asking(string amounts) =>
        $$$$"""{"containers":[{"name":"c","resources":{"requests":{ {{{{string.Join(",", amounts.Split(',').Select(a => $"\"{a.Split('=')[0]}\":\"{a.Split('=')[1]}\""))}}}} }}}]}""";

    private static List<V1Container> Containers(string json) =>
        [.. System.Text.Json.Nodes.JsonNode.Parse(json)!.AsArray().Select(c => new V1Container
        {
            Name = "c",
            RestartPolicy = c!["sidecar"] is null ? null : "Always",
            Resources = new() { Requests = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["cpu"] = new(c["cpu"]!.GetValue<string>()) } },
        })];
}
