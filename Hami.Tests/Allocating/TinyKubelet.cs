extern alias agent;

using agent::Kubelet.DevicePlugin.V1Beta1;
using agent::Kubelet.PodResources.V1;
using System.Collections.Concurrent;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Hami.NodeAgent.Plumbing;
using k8s.Models;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Hami.Tests.Allocating;

/// <summary>The kubelet's side of the device plugin API over real unix sockets: a registry, one plugin, pod-resources and the checkpoint.</summary>
internal sealed class TinyKubelet : IAsyncDisposable
{
    private readonly string dir;
    private readonly List<(V1Pod Pod, V1Container Container, string[] Ids, ContainerAllocateResponse Answer)> given = [];
    private readonly List<V1Pod> listed = [];
    private readonly CancellationTokenSource ending = new();
    private WebApplication? app;
    private WebApplication? resources;
    private GrpcChannel? channel;

    private TinyKubelet(string dir) => this.dir = dir;

    public ConcurrentQueue<RegisterRequest> Registrations { get; } = [];

    /// <summary>Plugins of other resources than ours.</summary>
    public ConcurrentDictionary<string, DevicePlugin.DevicePluginClient> Others { get; } = [];

    public IReadOnlyDictionary<string, string> Health { get; private set; } = new Dictionary<string, string>();

    public DevicePlugin.DevicePluginClient Plugin { get; private set; } = null!;

    /// <summary>A hint need not be followed.</summary>
    public bool IgnoresPreference { get; set; }

    /// <summary>How often pod-resources was asked.</summary>
    public int Listings { get; private set; }

    public IReadOnlyList<string> IdsOf(string pod, string container) => given.Single(g => g.Pod.Name() == pod && g.Container.Name == container).Ids;

    /// <summary>Several containers in one call, as the protocol allows and no kubelet does.</summary>
    public async Task<IReadOnlyList<ContainerAllocateResponse>> AllocateAtOnce(V1Pod pod, params string[][] ids)
    {
        listed.Add(pod);
        return (await Plugin.AllocateAsync(new AllocateRequest
        {
            ContainerRequests = { ids.Select(its => new ContainerAllocateRequest { DevicesIds = { its } }) },
        })).ContainerResponses;
    }

    public static async Task<TinyKubelet> Start(string dir, bool podResources = true, TinyKubelet? after = null)
    {
        var kubelet = new TinyKubelet(dir);
        if (after is not null)
            kubelet.given.AddRange(after.given);
        foreach (var socket in Directory.CreateDirectory(Path.Combine(dir, "device-plugins")).GetFiles("*.sock"))
            socket.Delete();
        if (podResources)
        {
            Directory.CreateDirectory(Path.Combine(dir, "pod-resources"));
            kubelet.resources = await Serve(Path.Combine(dir, "pod-resources", "kubelet.sock"), new Resources(kubelet));
        }
        kubelet.app = await Serve(Path.Combine(dir, "device-plugins", "kubelet.sock"), new Registry(kubelet));
        return kubelet;
    }

    /// <summary>Admits a pod as the kubelet does, and writes the checkpoint after each container.</summary>
    public async Task<IReadOnlyDictionary<string, ContainerAllocateResponse>> Admit(V1Pod pod)
    {
        listed.Add(pod);
        var answers = new Dictionary<string, ContainerAllocateResponse>(StringComparer.Ordinal);
        var reusable = new List<string>();
        foreach (var container in (pod.Spec.InitContainers ?? []).Concat(pod.Spec.Containers))
        {
            if (container.Resources is null)
                continue;
            var size = container.Resources.Limits[NodePods.Resource].ToInt32();
            var ids = reusable.Count >= size ? [.. reusable.Take(size)] : await Choose(size);
            var answer = (await Plugin.AllocateAsync(new AllocateRequest { ContainerRequests = { new ContainerAllocateRequest { DevicesIds = { ids.Reverse() } } } }))
                .ContainerResponses.Single();
            if (pod.Spec.InitContainers?.Contains(container) is true)
                reusable.AddRange(ids);
            Record(pod, container, ids, answer);
            answers[container.Name] = answer;
        }
        return answers;
    }

    /// <summary>Asks which device a pod had best get, and then rejects it for something else.</summary>
    public async Task RejectAfterThePreference(V1Pod pod)
    {
        listed.Add(pod);
        await Choose(1);
        listed.Remove(pod);
    }

    /// <summary>Writes down that a container holds ids, whoever was meant to.</summary>
    public void Record(V1Pod pod, V1Container container, string[] ids, ContainerAllocateResponse answer)
    {
        given.Add((pod, container, ids, answer));
        File.WriteAllText(Path.Combine(dir, "device-plugins", "kubelet_internal_checkpoint"), JsonSerializer.Serialize(new
        {
            Data = new
            {
                PodDeviceEntries = given.Select(g => new
                {
                    PodUID = g.Pod.Uid(),
                    ContainerName = g.Container.Name,
                    ResourceName = NodePods.Resource,
                    DeviceIDs = new Dictionary<string, string[]> { ["-1"] = g.Ids },
                    AllocResp = g.Answer.ToByteArray(),
                }),
            },
            Checksum = 0,
        }));
    }

    /// <summary>The same question for a container once more.</summary>
    public async Task<ContainerAllocateResponse> Repeat(V1Pod pod, string container) => (await Plugin.AllocateAsync(new AllocateRequest
    {
        ContainerRequests = { new ContainerAllocateRequest { DevicesIds = { given.Single(g => g.Pod.Uid() == pod.Uid() && g.Container.Name == container).Ids } } },
    })).ContainerResponses.Single();

    public async Task PreStart(V1Pod pod, string container) => await Plugin.PreStartContainerAsync(new PreStartContainerRequest
    {
        DevicesIds = { given.Single(g => g.Pod.Uid() == pod.Uid() && g.Container.Name == container).Ids },
    });

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        channel?.Dispose();
        if (app is not null)
            await app.DisposeAsync();
        if (resources is not null)
            await resources.DisposeAsync();
        ending.Dispose();
    }

    private async Task<string[]> Choose(int size)
    {
        var used = given.SelectMany(g => g.Ids).ToHashSet(StringComparer.Ordinal);
        var free = Health.Where(d => d.Value == "Healthy" && !used.Contains(d.Key)).Select(d => d.Key).ToList();
        var answer = await Plugin.GetPreferredAllocationAsync(new PreferredAllocationRequest
        {
            ContainerRequests = { new ContainerPreferredAllocationRequest { AvailableDeviceIDs = { free }, AllocationSize = size } },
        });
        return answer.ContainerResponses is [var only] && !IgnoresPreference ? [.. only.DeviceIDs] : [.. free.Take(size)];
    }

    private static async Task<WebApplication> Serve<T>(string socket, T service)
        where T : class
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(k => k.ListenUnixSocket(socket, l => l.Protocols = HttpProtocols.Http2));
        builder.Services.AddSingleton(service).AddRouting().AddGrpc();
        var web = builder.Build();
        web.MapGrpcService<T>();
        await web.StartAsync();
        return web;
    }

    private sealed class Registry(TinyKubelet kubelet) : Registration.RegistrationBase
    {
        // The kubelet dials back and asks for the options before it answers.
        public override async Task<Empty> Register(RegisterRequest request, ServerCallContext context)
        {
            if (request.ResourceName != NodePods.Resource)
            {
                kubelet.Others[request.ResourceName] = new(UnixSocketChannel.To(Path.Combine(kubelet.dir, "device-plugins", request.Endpoint)));
                kubelet.Registrations.Enqueue(request);
                return new();
            }
            kubelet.channel = UnixSocketChannel.To(Path.Combine(kubelet.dir, "device-plugins", request.Endpoint));
            kubelet.Plugin = new(kubelet.channel);
            await kubelet.Plugin.GetDevicePluginOptionsAsync(new Empty());
            _ = Follow(kubelet.Plugin);
            kubelet.Registrations.Enqueue(request);
            return new();
        }

        private async Task Follow(DevicePlugin.DevicePluginClient plugin)
        {
            try
            {
                using var stream = plugin.ListAndWatch(new Empty(), cancellationToken: kubelet.ending.Token);
                await foreach (var list in stream.ResponseStream.ReadAllAsync())
                    kubelet.Health = list.Devices.ToDictionary(d => d.ID, d => d.Health, StringComparer.Ordinal);
            }
            catch (RpcException)
            {
                // Either side is ending.
            }
            if (plugin == kubelet.Plugin)
                kubelet.Health = new Dictionary<string, string>();
        }
    }

    private sealed class Resources(TinyKubelet kubelet) : PodResourcesLister.PodResourcesListerBase
    {
        public override Task<ListPodResourcesResponse> List(ListPodResourcesRequest request, ServerCallContext context)
        {
            kubelet.Listings++;
            return Task.FromResult(new ListPodResourcesResponse
            {
                PodResources =
                {
                    kubelet.listed.Select(pod => new PodResources
                    {
                        Name = pod.Name(),
                        Namespace = pod.Namespace(),
                        Containers =
                        {
                            pod.Spec.Containers.Select(c => new ContainerResources
                            {
                                Name = c.Name,
                                Devices =
                                {
                                    kubelet.given.Where(g => g.Pod.Uid() == pod.Uid() && g.Container.Name == c.Name).SelectMany(g => g.Ids)
                                        .Select(id => new ContainerDevices { ResourceName = NodePods.Resource, DeviceIds = { id } }),
                                },
                            }),
                        },
                    }),
                },
            });
        }
    }
}
