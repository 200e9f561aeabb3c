using System.Text.Json.Nodes;
using Hami.Tests.Given;

namespace Hami.Tests.Admitting;

public sealed class RefusingBadQuantities(RunningScene running) : IClassFixture<RunningScene>
{
    [Theory]
    [InlineData("nvidia.com/gpumem", "\"half\"", "not a Kubernetes quantity")]
    [InlineData("nvidia.com/gpumem", "\"-1\"", "invalid nvidia.com/gpumem value -1 in container main")]
    [InlineData("nvidia.com/gpumem", "99999999999999999999999999999999999999", "not a Kubernetes quantity")]
    [InlineData("nvidia.com/gpumem", "\"9E\"", "no card has that much memory")]
    [InlineData("nvidia.com/gpucores", "\"500m\"", "whole number")]
    [InlineData("nvidia.com/gpu", "{}", "not a Kubernetes quantity")]
    public async Task A_quantity_no_card_could_serve_is_denied_at_admission_and_refused_by_the_filter(string resource, string value, string because)
    {
        var scene = running.Scene;
        var limits = new JsonObject { ["nvidia.com/gpu"] = "1" };
        limits[resource] = JsonNode.Parse(value);
        var pod = new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = "p", ["namespace"] = "default", ["uid"] = "u-1" },
            ["spec"] = new JsonObject
            {
                ["containers"] = new JsonArray(new JsonObject { ["name"] = "main", ["resources"] = new JsonObject { ["limits"] = limits } }),
            },
        };

        var admitted = await scene.PostAsync("webhook", new JsonObject
        {
            ["apiVersion"] = "admission.k8s.io/v1beta1", ["kind"] = "AdmissionReview", ["request"] = new JsonObject { ["uid"] = "r-1", ["object"] = pod.DeepClone() },
        });
        var filtered = await scene.PostAsync("filter", new JsonObject { ["Pod"] = pod.DeepClone(), ["NodeNames"] = new JsonArray("n1") });

        Assert.Equal("admission.k8s.io/v1beta1", admitted["apiVersion"]!.GetValue<string>());
        Assert.False(admitted["response"]!["allowed"]!.GetValue<bool>());
        Assert.Contains(because, admitted["response"]!["status"]!["message"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Contains(because, filtered["Error"]!.GetValue<string>(), StringComparison.Ordinal);
    }
}
