using System.Net;
using Hami.Lab.ApiServer;
using Hami.Lab.Kubelet;
using k8s;
using k8s.Models;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>Logs come from the kubelet of the pod's node, as they are written.</summary>
public sealed class ApiServerLogs
{
    [Fact]
    public async Task A_scheduled_pods_log_is_streamed_from_its_kubelet()
    {
        await using var lab = await Running();
        var more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var kubelet = await Kubelet(async http =>
        {
            await http.Response.WriteAsync($"{http.Request.Path}{http.Request.QueryString}\n", Cancellation);
            await http.Response.Body.FlushAsync(Cancellation);
            await more.Task;
            await http.Response.WriteAsync("the end\n", Cancellation);
        });
        await lab.Client.CoreV1.CreateNodeAsync(Node("n", new Uri(kubelet.Urls.Single()).Port), cancellationToken: Cancellation);
        await lab.Create(Pod("p", node: "n"));
        using var answer = await lab.Raw.GetAsync("/api/v1/namespaces/default/pods/p/log?container=c&follow=true&tailLines=5", HttpCompletionOption.ResponseHeadersRead, Cancellation);
        using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync(Cancellation));
        Assert.Equal("/containerLogs/default/p/c?follow=true&tailLines=5", await lines.ReadLineAsync(Cancellation));
        more.SetResult();
        Assert.Equal("the end", await lines.ReadLineAsync(Cancellation));
        Assert.Null(await lines.ReadLineAsync(Cancellation));
    }

    [Fact]
    public async Task A_pod_without_a_node_has_nothing_to_say()
    {
        await using var lab = await Running();
        await lab.Create(Pod("p"));
        var (code, body) = await lab.Send("GET", "/api/v1/namespaces/default/pods/p/log?container=c");
        Assert.Equal((204, null), (code, body));
    }

    [Fact]
    public async Task A_container_that_is_not_there_and_a_kubelet_that_is_not_there_are_told_apart()
    {
        await using var lab = await Running();
        await lab.Client.CoreV1.CreateNodeAsync(Node("n", 1), cancellationToken: Cancellation);
        await lab.Create(Pod("p", node: "n"));
        var (wrong, why) = await lab.Send("GET", "/api/v1/namespaces/default/pods/p/log?container=x");
        Assert.Equal((400, "container x is not valid for pod p"), (wrong, why!["message"]!.GetValue<string>()));
        Assert.Equal(500, (await lab.Send("GET", "/api/v1/namespaces/default/pods/p/log")).Code);
    }

    private static V1Node Node(string name, int port) => new()
    {
        Metadata = new() { Name = name },
        Status = new() { DaemonEndpoints = new() { KubeletEndpoint = new() { Port = port } }, Addresses = [new() { Type = "InternalIP", Address = "10.1.2.3" }] },
    };

    private static async Task<WebApplication> Kubelet(RequestDelegate answer)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(
            IPAddress.Loopback, 0, listen => listen.UseHttps(KubeletCertificate.Create("n", IPAddress.Loopback, TimeProvider.System))));
        var app = builder.Build();
        app.Run(answer);
        await app.StartAsync(Cancellation);
        return app;
    }
}
