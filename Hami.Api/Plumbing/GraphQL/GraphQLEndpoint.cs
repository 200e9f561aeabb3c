using System.Globalization;
using System.Text;
using System.Text.Json;
using GraphQL;
using GraphQL.Transport;
using GraphQL.Types;
using Hami.Api.Access;
using Hami.Api.Asking;

namespace Hami.Api.Plumbing.GraphQL;

/// <summary>
/// <c>POST /graphql</c>: JSON, or server-sent events for who accepts them (the distinct connections mode of graphql-sse). The registry
/// holds no server package for this library, so these lines are ours.
/// </summary>
internal sealed class GraphQLEndpoint(
    IGate gate, AccessLog log, IDocumentExecuter executer, ISchema schema, IGraphQLTextSerializer serializer, ServerSentEvents events, TimeProvider time)
{
    private const string Json = "application/json; charset=utf-8";

    private readonly BoundedBody _bodies = new(Limits.BodyBytes);

    public async Task AnswerAsync(HttpContext http)
    {
        var asker = http.RequestServices.GetRequiredService<Asker>();
        try
        {
            asker.Viewer = await gate.AdmitAsync(http);
            var request = await ReadAsync(http.Request);
            asker.ResumeAfter = ResumeAfter(http.Request);
            await ExecuteAsync(http, asker, request);
        }
        catch (AccessRefusedException e)
        {
            log.Refused(http.Connection.RemoteIpAddress, e.Status, e.Message);
            if (e.Status == StatusCodes.Status401Unauthorized)
                http.Response.Headers.WWWAuthenticate = "Bearer";
            await RefuseAsync(http, e.Status, e.Message);
        }
        catch (BodyRefusedException e)
        {
            await RefuseAsync(http, e.Status, e.Message);
        }
    }

    private async Task ExecuteAsync(HttpContext http, Asker asker, GraphQLRequest request)
    {
        var start = time.GetTimestamp();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        patience.CancelAfter(Limits.Question);
        ExecutionResult result;
        try
        {
            result = await executer.ExecuteAsync(options =>
            {
                options.Schema = schema;
                options.Query = request.Query;
                options.OperationName = request.OperationName;
                options.Variables = request.Variables;
                options.RequestServices = http.RequestServices;
                options.CancellationToken = patience.Token;
            });
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested)
        {
            log.Asked(asker, "given up", time.GetElapsedTime(start));
            await RefuseAsync(http, StatusCodes.Status503ServiceUnavailable, $"the question took longer than {Limits.Question.TotalSeconds} s: ask for less at once");
            return;
        }
        log.Asked(asker, result.Errors is { Count: > 0 } errors ? errors[0].Code ?? "error" : "answered", time.GetElapsedTime(start));

        var wantsEvents = http.Request.GetTypedHeaders().Accept.Any(a => a.MediaType.Equals(ServerSentEvents.MediaType, StringComparison.OrdinalIgnoreCase));
        if (result.Streams is { Count: > 0 } streams)
        {
            var stream = streams.Values.Single();
            if (!wantsEvents)
            {
                stream.Subscribe(new Deaf()).Dispose();
                await RefuseAsync(http, StatusCodes.Status406NotAcceptable, $"a subscription is answered as server-sent events: send the header \"Accept: {ServerSentEvents.MediaType}\"");
                return;
            }
            // From here on the clock is that of the subscription.
            patience.CancelAfter(Limits.Subscription);
            await events.TellAsync(http, stream, patience.Token);
            return;
        }
        if (wantsEvents && result.Executed)
        {
            await events.TellAsync(http, result);
            return;
        }
        http.Response.StatusCode = result.Executed ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest;
        http.Response.ContentType = Json;
        await serializer.WriteAsync(http.Response.Body, result, http.RequestAborted);
    }

    private async Task<GraphQLRequest> ReadAsync(HttpRequest request)
    {
        using var body = await _bodies.ReadAsync(request);
        GraphQLRequest? post;
        try
        {
            post = serializer.Deserialize<GraphQLRequest>(Encoding.UTF8.GetString(body.Bytes.Span));
        }
        catch (JsonException e)
        {
            throw new BodyRefusedException(StatusCodes.Status400BadRequest, $"the request body is not JSON: {e.Message}", e);
        }
        return string.IsNullOrWhiteSpace(post?.Query)
            ? throw new BodyRefusedException(StatusCodes.Status400BadRequest, """the request body needs a "query", for example {"query":"{ eventCount }"}""")
            : post;
    }

    private static long? ResumeAfter(HttpRequest request) => request.Headers["Last-Event-ID"].ToString() switch
    {
        "" => null,
        var text when long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var position) => position,
        _ => throw new BodyRefusedException(
            StatusCodes.Status400BadRequest, "Last-Event-ID is none that this log has given: it is the id of the last event that was received, a position in the log"),
    };

    private static Task RefuseAsync(HttpContext http, int status, string sentence) =>
        Results.Json(new { errors = new[] { new { message = sentence } } }, statusCode: status).ExecuteAsync(http);

    private sealed class Deaf : IObserver<ExecutionResult>
    {
        public void OnCompleted()
        {
            // Nobody listens.
        }

        public void OnError(Exception error)
        {
            // Nobody listens.
        }

        public void OnNext(ExecutionResult value)
        {
            // Nobody listens.
        }
    }
}

/// <summary>Where GraphQL is answered.</summary>
internal static class GraphQLRoutes
{
    public static void MapGraphQL(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/graphql", (HttpContext http, GraphQLEndpoint endpoint) => endpoint.AnswerAsync(http));
        // Where graphql-sse's clients are usually pointed.
        routes.MapPost("/graphql/stream", (HttpContext http, GraphQLEndpoint endpoint) => endpoint.AnswerAsync(http));
    }
}
