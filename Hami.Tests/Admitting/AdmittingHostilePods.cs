using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using Hami.Api.Admitting;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Domain.Admitting;
using Hami.Domain.Ledger;
using Hami.Domain.Protocol;
using Hami.Lab.ApiServer;

namespace Hami.Tests.Admitting;

/// <summary>Reviews in which anything may stand anywhere: an answer, and a patch that applies.</summary>
public sealed class AdmittingHostilePods
{
    private const string Review =
        """
        {"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"r-1","namespace":"default","object":
         {"metadata":{"name":"p","namespace":"default","annotations":{"hami.io/vgpu-node":"n1","hami.io/node-scheduler-policy":"spread","nvidia.com/numa-bind":"true"},
           "labels":{"hami.io/vgpu-node":"n1"}},
          "spec":{"schedulerName":"","runtimeClassName":"","schedulingGroup":{"podGroupName":"g"},"overhead":{"cpu":"1"},"resources":{"requests":{"cpu":"1"}},
           "initContainers":[{"name":"i","restartPolicy":"Always","env":[{"name":"NVIDIA_VISIBLE_DEVICES","value":"all"}]}],
           "containers":[{"name":"c","securityContext":{"privileged":false},"env":[{"name":"GPU_CORE_UTILIZATION_POLICY","value":"disable"}],
             "resources":{"limits":{"nvidia.com/gpu":"1","nvidia.com/gpumem":"3k","nvidia.com/priority":"1"},"requests":{"nvidia.com/gpu":"1"}}}]}}}}
        """;

    private static readonly AdmissionRules Rules =
        AdmissionRules.Hami with { Nvidia = NvidiaConfig.Hami with { OverwriteEnv = true, GpuCorePolicy = GpuCorePolicy.Force, RuntimeClassName = "nvidia" } };

    private static readonly string[] Values =
    [
        "null", "{}", "[]", "[null]", "\"\"", "\"x\"", "5", "-1", "true", "\"1e30\"", "\"-5\"", "\"0.5\"", "\"9999999999999999999999999999\"", "\"16Gi\"", "\"2000000\"", "\"100\"",
        "{\"a\":null}", "{\"nvidia.com/gpu\":null}", "{\"nvidia.com/gpumem-percentage\":\"101\"}", "[{}]", "[{\"name\":null,\"env\":[null,{}],\"resources\":{}}]",
    ];

    [Fact]
    public void Whatever_stands_in_a_review_it_is_answered_and_the_patch_applies() => Gen.Select(Gen.Int[0, 200], Gen.Int[0, Values.Length - 1]).Array[1, 3].Sample(
        changes =>
        {
            var review = JsonNode.Parse(Review)!.AsObject();
            foreach (var (at, value) in changes)
                Change(review, at, Values[value]);
            AdmissionReview? read;
            try
            {
                read = JsonSerializer.Deserialize(review.ToJsonString(), WireJson.Default.AdmissionReview);
            }
            catch (JsonException)
            {
                return; // answered by the endpoint
            }

            var answer = AdmitHandler.Answer(read ?? new(), Rules, _ => new QuotaRoom(5000, 300)).Response!;

            if (answer.Patch is { } patch)
                JsonPatch.Apply(review["request"]!["object"]!.AsObject(), JsonNode.Parse(Encoding.UTF8.GetString(patch))!.AsArray());
            else
                Assert.NotEmpty(answer.Status!.Message);
        },
        iter: 5000);

    [Fact]
    public void The_review_itself_is_changed_in_every_way_there_is()
    {
        var answer = AdmitHandler.Answer(JsonSerializer.Deserialize(Review, WireJson.Default.AdmissionReview)!, Rules, _ => QuotaRoom.Unlimited).Response!;
        var pod = JsonPatch.Apply(JsonNode.Parse(Review)!["request"]!["object"]!.AsObject(), JsonNode.Parse(Encoding.UTF8.GetString(answer.Patch!))!.AsArray());

        Assert.Equal("hami-scheduler", pod["spec"]!["schedulerName"]!.GetValue<string>());
        Assert.Equal("nvidia", pod["spec"]!["runtimeClassName"]!.GetValue<string>());
        Assert.Equal("""[{"name":"NVIDIA_VISIBLE_DEVICES","value":"none"}]""", pod["spec"]!["initContainers"]![0]!["env"]!.ToJsonString());
        Assert.Equal(
            """[{"name":"GPU_CORE_UTILIZATION_POLICY","value":"force"},{"name":"CUDA_TASK_PRIORITY","value":"1"}]""", pod["spec"]!["containers"]![0]!["env"]!.ToJsonString());
        Assert.Equal("{}", pod["metadata"]!["labels"]!.ToJsonString());
        Assert.Equal(4, answer.Warnings!.Count);
    }

    [Fact]
    public void What_a_ConfigMap_may_hold_is_answered_by_a_name_that_stands_before_it()
    {
        var review = Review.Replace(
            """},"env":[{"name":"GPU_CORE_UTILIZATION_POLICY","value":"disable"}],""", """},"envFrom":[{"configMapRef":{"name":"mine"}}],""", StringComparison.Ordinal);
        Assert.NotEqual(Review, review);

        var answer = AdmitHandler.Answer(
            JsonSerializer.Deserialize(review, WireJson.Default.AdmissionReview)!, AdmissionRules.Hami, _ => QuotaRoom.Unlimited).Response!;
        var container = JsonPatch.Apply(
            JsonNode.Parse(review)!["request"]!["object"]!.AsObject(), JsonNode.Parse(Encoding.UTF8.GetString(answer.Patch!))!.AsArray())["spec"]!["containers"]![0]!;

        Assert.Contains("""{"name":"GPU_CORE_UTILIZATION_POLICY","value":"default"}""", container["env"]!.ToJsonString(), StringComparison.Ordinal);
        Assert.Equal("""[{"configMapRef":{"name":"mine"}}]""", container["envFrom"]!.ToJsonString());
        Assert.DoesNotContain(answer.Warnings ?? [], w => w.Contains("GPU_CORE", StringComparison.Ordinal));
    }

    /// <summary>Puts a value at the n-th place of the tree, counted around.</summary>
    private static void Change(JsonNode root, int at, string value)
    {
        var places = new List<Action<JsonNode?>>();
        Collect(root, places);
        if (places.Count > 0)
            places[at % places.Count](JsonNode.Parse(value));
    }

    private static void Collect(JsonNode? node, List<Action<JsonNode?>> places)
    {
        if (node is JsonObject members)
        {
            foreach (var (name, member) in members.ToList())
            {
                places.Add(value => members[name] = value);
                Collect(member, places);
            }
        }
        else if (node is JsonArray items)
        {
            for (var i = 0; i < items.Count; i++)
            {
                var position = i;
                places.Add(value => items[position] = value);
                Collect(items[i], places);
            }
        }
    }
}
