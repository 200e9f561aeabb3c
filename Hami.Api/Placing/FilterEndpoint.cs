using System.Buffers;
using System.Text.Json;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Kubernetes;
using Microsoft.Extensions.ObjectPool;

namespace Hami.Api.Placing;

/// <summary><c>POST /filter</c>, as kube-scheduler calls an extender: always HTTP 200, what went wrong stands in <c>Error</c>.</summary>
internal static class FilterEndpoint
{
    // 5,000 whole nodes of 10 KiB and room to spare; names alone are a hundredth of that.
    private static readonly BoundedBody Bodies = new(mostBytes: 64 << 20, largeAtOnce: 2);

    private static readonly ObjectPool<ArrayBufferWriter<byte>> Answers = ObjectPool.Create(new AnswerBuffers());

    public static void MapFilter(this IEndpointRouteBuilder routes) => routes.MapPost("/filter", async (HttpContext http, FilterHandler handler, ClusterView view) =>
    {
        http.Response.ContentType = "application/json";
        try
        {
            // Held until the answer is written: it gives whole nodes back from these bytes.
            using var body = await Bodies.ReadAsync(http.Request);
            var answer = await handler.Handle(new(ExtenderArguments.Read(body.Bytes, view)), http.RequestAborted);
            await SendAsync(answer, http);
        }
        catch (JsonException e)
        {
            await SendAsync(FilterAnswer.Of(WireJson.Explain(e)), http);
        }
        catch (BodyRefusedException e)
        {
            await SendAsync(FilterAnswer.Of(e.Message), http);
        }
    });

    /// <summary>In one piece whose length is known: half a mebibyte in chunks of a page each costs more than to decide.</summary>
    private static async Task SendAsync(FilterAnswer answer, HttpContext http)
    {
        var text = Answers.Get();
        try
        {
            answer.WriteTo(text);
            http.Response.ContentLength = text.WrittenCount;
            await http.Response.BodyWriter.WriteAsync(text.WrittenMemory, http.RequestAborted);
        }
        finally
        {
            Answers.Return(text);
        }
    }

    private sealed class AnswerBuffers : PooledObjectPolicy<ArrayBufferWriter<byte>>
    {
        private const int LargestKept = 4 << 20;

        public override ArrayBufferWriter<byte> Create() => new(1 << 16);

        public override bool Return(ArrayBufferWriter<byte> obj)
        {
            obj.ResetWrittenCount();
            return obj.Capacity <= LargestKept;
        }
    }
}
