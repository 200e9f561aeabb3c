using System.Net;
using System.Text.Json.Nodes;
using Hami.Lab.ApiServer;
using k8s;
using k8s.Models;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>The one write that places a pod.</summary>
public sealed class ApiServerBinding
{
    [Fact]
    public async Task A_binding_carries_node_annotations_and_labels_in_one_write()
    {
        await using var lab = await Running();
        var pod = await lab.Create(Pod("p"));
        var (code, status) = await lab.Send("POST", "/api/v1/namespaces/default/pods/p/binding",
            $$$"""{"metadata":{"name":"p","uid":"{{{pod.Uid()}}}","resourceVersion":"{{{pod.ResourceVersion()}}}","annotations":{"hami.io/vgpu-node":"n"},"labels":{"hami.io/vgpu-node":"n"}},"target":{"kind":"Node","name":"n"}}""");
        Assert.Equal((201, "Success"), (code, status!["status"]!.GetValue<string>()));
        var bound = await lab.Read("p");
        Assert.Equal(("n", "n", "n"), (bound.Spec.NodeName, bound.Annotations()["hami.io/vgpu-node"], bound.Labels()["hami.io/vgpu-node"]));
        Assert.Equal(("PodScheduled", "True"), (bound.Status.Conditions.Single().Type, bound.Status.Conditions.Single().Status));
        Assert.Equal(long.Parse(pod.ResourceVersion()) + 1, long.Parse(bound.ResourceVersion()));
        Assert.Equal(1, bound.Metadata.Generation);
    }

    [Fact]
    public async Task A_second_binding_is_told_where_the_pod_already_is()
    {
        await using var lab = await Running();
        await lab.Create(Pod("rv"));
        await lab.Client.CoreV1.CreateNamespacedPodBindingAsync(Binding("rv", "n1"), "rv", "default", cancellationToken: Cancellation);
        var (code, message) = await Refusal(() => lab.Client.CoreV1.CreateNamespacedPodBindingAsync(Binding("rv", "n2"), "rv", "default", cancellationToken: Cancellation));
        Assert.Equal((409, "Operation cannot be fulfilled on pods/binding \"rv\": pod rv is already assigned to node \"n1\""), (code, message));
    }

    [Fact]
    public async Task A_binding_for_an_older_version_or_another_pod_of_the_name_is_dead()
    {
        await using var lab = await Running();
        var pod = await lab.Create(Pod("rv"));
        await lab.Client.CoreV1.PatchNamespacedPodAsync(new V1Patch("""{"metadata":{"annotations":{"given-up":"yes"}}}""", V1Patch.PatchType.MergePatch), "rv", "default", cancellationToken: Cancellation);
        var (stale, why) = await Refusal(() => lab.Client.CoreV1.CreateNamespacedPodBindingAsync(Binding("rv", "n", m => m.ResourceVersion = pod.ResourceVersion()), "rv", "default", cancellationToken: Cancellation));
        Assert.Equal(409, stale);
        Assert.Contains($"Precondition failed: ResourceVersion in precondition: {pod.ResourceVersion()}, ResourceVersion in object meta: {long.Parse(pod.ResourceVersion()) + 1}", why, StringComparison.Ordinal);
        var (foreign, whose) = await Refusal(() => lab.Client.CoreV1.CreateNamespacedPodBindingAsync(Binding("rv", "n", m => m.Uid = "other"), "rv", "default", cancellationToken: Cancellation));
        Assert.Equal(409, foreign);
        Assert.Contains($"Precondition failed: UID in precondition: other, UID in object meta: {pod.Uid()}", whose, StringComparison.Ordinal);
        Assert.Null((await lab.Read("rv")).Spec.NodeName);
    }

    [Fact]
    public async Task A_pod_on_its_way_out_is_not_bound()
    {
        await using var lab = await Running();
        await lab.Create(Pod("p", more: p => p.Metadata.Finalizers = ["example.com/hold"]));
        await lab.Client.CoreV1.DeleteNamespacedPodAsync("p", "default", cancellationToken: Cancellation);
        var (code, message) = await Refusal(() => lab.Client.CoreV1.CreateNamespacedPodBindingAsync(Binding("p", "n"), "p", "default", cancellationToken: Cancellation));
        Assert.Equal(409, code);
        Assert.Contains("is being deleted, cannot be assigned to a host", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_many_bindings_at_once_exactly_one_wins()
    {
        await using var lab = await Running();
        await lab.Create(Pod("p"));
        var codes = await Task.WhenAll(Enumerable.Range(0, 20).Select(async i =>
            (await lab.Send("POST", "/api/v1/namespaces/default/pods/p/binding", """{"metadata":{"name":"p"},"target":{"name":"NODE"}}""".Replace("NODE", $"n{i}", StringComparison.Ordinal))).Code));
        Assert.Equal(1, codes.Count(c => c == 201));
        Assert.Equal(19, codes.Count(c => c == 409));
    }

    [Fact]
    public async Task A_binding_held_by_the_network_still_arrives_after_its_sender_is_gone()
    {
        await using var lab = await Running();
        await lab.Create(Pod("p"));
        var held = lab.Server.Faults.HoldNextBinding("default", "p");
        using (var sender = new HttpClient { BaseAddress = lab.Server.Address, DefaultRequestHeaders = { Authorization = new("Bearer", "lab") } })
        using (var dies = new CancellationTokenSource())
        {
            var sending = sender.PostAsync("/api/v1/namespaces/default/pods/p/binding", new StringContent("""{"metadata":{"name":"p"},"target":{"name":"n"}}""", null, "application/json"), dies.Token);
            await held.Arrived;
            await dies.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
        }
        Assert.Null((await lab.Read("p")).Spec.NodeName);
        held.Release();
        await held.Finished;
        Assert.Equal("n", (await lab.Read("p")).Spec.NodeName);
    }

    [Fact]
    public async Task A_server_stops_even_while_the_network_holds_a_request()
    {
        var lab = await Running();
        var held = lab.Server.Faults.HoldNext(r => r.Path == "/api/v1/namespaces/default/pods");
        var sending = lab.Create(Pod("p"));
        await held.Arrived;
        await lab.Server.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
        await Assert.ThrowsAnyAsync<Exception>(() => sending);
    }

    [Fact]
    public async Task A_binding_may_also_be_posted_to_the_namespace()
    {
        await using var lab = await Running();
        await lab.Create(Pod("p"));
        Assert.Equal(201, (await lab.Send("POST", "/api/v1/namespaces/default/bindings", """{"metadata":{"name":"p"},"target":{"name":"n"}}""")).Code);
        Assert.Equal("n", (await lab.Read("p")).Spec.NodeName);
    }

    [Theory]
    [InlineData(LabFault.DropReply, "n")]
    [InlineData(LabFault.DropRequest, null)]
    public async Task A_lost_answer_is_not_a_lost_binding(LabFault fault, string? node)
    {
        await using var lab = await Running();
        await lab.Create(Pod("p"));
        lab.Server.Faults.BeforeApply = r => Task.FromResult(r.Path.EndsWith("/binding", StringComparison.Ordinal) ? fault : LabFault.None);
        await Assert.ThrowsAsync<HttpRequestException>(() => lab.Send("POST", "/api/v1/namespaces/default/pods/p/binding", """{"metadata":{"name":"p"},"target":{"name":"n"}}"""));
        Assert.Equal(node, (await lab.Read("p")).Spec.NodeName);
    }
}
